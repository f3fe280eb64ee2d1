"""From raw files to a table, splits and augmented training rows."""
