"""Decision thresholds by group."""
