"""Stand-ins for the cloud services on this machine: for the demo, for developers and for tests."""
