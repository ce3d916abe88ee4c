"""The roles that adapters play, one file a role.

Every method may raise `Transient` (try again later) and `Permanent` (a retry does not help); other
errors are named. A method that returns one document raises `UnreadableDocument` if the document
cannot be parsed; a method that returns many logs such a document and skips it. Each port has one
contract suite in `tests/contract`; the memory adapter and the real adapter both pass the suite.
"""
