"""Policies: retries, breakers, leases, limits, priorities, flags and residency."""
