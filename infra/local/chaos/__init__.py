"""Chaos on real processes: kill -9 while visits flow, then judge by what the outside can see.

`run` (the stack, uploads, kills, recovery) → `evidence` (what is stored, and what the provider
charges) → `verdict` (pure: which promises were kept) → `report`. `scripts/chaos` is its command.
"""
