"""Admission control: permits for provider jobs, and the order in which visits get them."""
