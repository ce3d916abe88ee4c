"""The ports: protocols that adapters implement, with one file for each port.

Every method may raise `Transient` (a later retry may succeed) and `Permanent` (a retry does not
help); docstrings name all other errors. Each port has one contract suite in `tests/contract`, which
the memory adapter and the real adapter both pass.
"""
