"""Policies for what fails and comes back."""
