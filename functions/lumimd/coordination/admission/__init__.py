"""Who may have a job at the provider now, and in which order the others get theirs."""
