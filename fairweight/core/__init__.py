"""What all wings share: files, tables, components, operations, measures, random streams, steps, errors."""
