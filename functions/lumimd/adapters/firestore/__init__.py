"""The adapter for Cloud Firestore."""
