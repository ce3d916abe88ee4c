"""The stores, one file each, over a document database: Firestore or the database in memory.

Every method may raise `Transient` (a later retry may succeed). A method that returns one document
raises `UnreadableDocument` if the document cannot be parsed; a method that returns several
documents logs and skips an unreadable document. Each store has a contract suite in
`tests/contract`, which runs on both databases.
"""
