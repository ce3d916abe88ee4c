"""The stores on Cloud Firestore."""
