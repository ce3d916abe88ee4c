"""Releases the functions in stages and rolls them back: `scripts/release`."""
