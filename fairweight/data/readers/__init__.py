"""From raw files to rows of named columns."""
