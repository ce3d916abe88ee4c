"""The cloud on this machine: the demo, the developers and the tests run the product on it."""
