"""The contract for clients: a JSON Schema of every document that they read or write."""
