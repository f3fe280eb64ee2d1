"""Storage coding of weights."""
