"""Rules and limits without I/O: retries, breakers, leases, quotas, priorities, flags, residency."""
