"""State that all instances share: breaker, admission, rate limits, flags, shutdown."""
