"""Which weights are set to zero or removed."""
