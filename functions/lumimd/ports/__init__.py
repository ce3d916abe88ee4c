"""The roles that adapters play, one file a role.

Every method may raise `Transient` (try again later) and `Permanent` (a retry does not help); other
errors are named. Each port has one contract suite in `tests/contract`; the memory adapter and the
real adapter both pass the suite.
"""
