"""Releases in stages, and rollbacks: `scripts/release`."""
