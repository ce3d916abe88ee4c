"""What the product runs on."""
