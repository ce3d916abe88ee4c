"""Shared by the stand-ins of Google services: gRPC, HTTP targets, retries, local id tokens."""
