"""Cloud Firestore."""
