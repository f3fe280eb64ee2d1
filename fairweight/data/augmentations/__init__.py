"""New training rows from old ones, or weights of rows."""
