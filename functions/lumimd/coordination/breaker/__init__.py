"""The circuit breaker, shared by all instances."""
