"""What the stand-ins of Google services share: gRPC, HTTP targets, retries, local id tokens."""
