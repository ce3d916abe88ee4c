"""The roles that adapters play, one file a role.

Every method may raise `Transient` (try again later) and `Permanent` (it will not get better); other
errors are named. A method that returns one document raises `UnreadableDocument` where that cannot
be read; one that returns many logs it and passes it over. Each port has one contract suite in
`tests/contract`, which the memory adapter and the real one both pass.
"""
