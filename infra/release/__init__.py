"""How a release gets out, in stages, and back: `scripts/release`."""
