"""The infrastructure of the product."""
