"""Resource usage of every step, energy, carbon, and the life cycle of a variant."""
