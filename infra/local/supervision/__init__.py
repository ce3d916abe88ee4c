"""Starts, watches and ends the processes of the local stack."""
