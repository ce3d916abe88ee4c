"""Code that the stand-ins of Google services share: gRPC, HTTP targets, retries and id tokens."""
