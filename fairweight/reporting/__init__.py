"""Report, paper artifacts, model and data cards, archive, provenance."""
