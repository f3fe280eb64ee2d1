"""Where raw files come from, by the scheme of a source."""
