"""The stores, one file each, over a document database: Firestore, or the one in memory.

Every method may raise `Transient` (try again later). A method that returns one document raises
`UnreadableDocument` if it cannot be parsed; a method that returns many logs such a document and
skips it. One contract suite a store, in `tests/contract`, runs on both databases.
"""
