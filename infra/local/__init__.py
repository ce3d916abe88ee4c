"""The cloud on this machine: what `scripts/demo`, `scripts/dev` and the tests run the product on."""
