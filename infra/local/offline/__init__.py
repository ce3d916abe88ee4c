"""Transcripts summarized on this machine, without the stack: `scripts/summarize`."""
