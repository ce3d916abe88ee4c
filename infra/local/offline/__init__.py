"""Summarizes transcripts on this machine, without the stack: `scripts/summarize`."""
