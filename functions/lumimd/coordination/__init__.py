"""Coordination between instances: breakers, admission, rate limits, flags and shutdown."""
