"""The study file: schema, defaults, grid, sweeps and checks; read while Snakemake parses."""
