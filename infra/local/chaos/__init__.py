"""Kills real processes with SIGKILL while visits are processed, then checks the stored results.

`run` starts the stack, uploads visits, kills processes and waits for the recovery. `evidence` reads
the stored documents and the provider's bill, `verdict` (pure) decides which promises were kept, and
`report` prints the result. The command is `scripts/chaos`.
"""
