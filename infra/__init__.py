"""Tools around the product: the local stack, operator commands, releases and schemas."""
