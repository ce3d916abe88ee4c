"""A stand-in for Cloud Tasks on this machine."""
