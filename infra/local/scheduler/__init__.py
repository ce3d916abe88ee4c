"""A stand-in for Cloud Scheduler on this machine."""
