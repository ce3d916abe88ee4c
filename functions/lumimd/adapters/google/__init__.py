"""Adapters for Cloud Tasks, Cloud Scheduler, Cloud Storage and Firebase Auth."""
