"""Log lines and the metrics that are made of them."""
