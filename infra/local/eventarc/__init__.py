"""A stand-in for Eventarc on this machine."""
