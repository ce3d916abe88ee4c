"""Cloud Scheduler on this machine."""
