"""Structured log lines, and the metrics that Cloud Logging makes of them."""
