"""The cloud on this machine: what the demo, the developers and the tests run the product on."""
