"""Eventarc on this machine."""
