"""The stores over a document database: Firestore, or the one in memory."""
