"""From the shape of encoded rows to a torch module."""
