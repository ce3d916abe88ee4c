"""Summarizes transcripts on this machine, without the local stack: `scripts/summarize`."""
