"""Chaos on real processes: kill -9 while visits are processed, then check the stored results.

`run` (the stack, uploads, kills, recovery) → `evidence` (the stored documents and the provider's
bill) → `verdict` (pure: which promises were kept) → `report`. The command is `scripts/chaos`.
"""
