from fairweight.core.step import step
from fairweight.reporting.provenance import write_provenance

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    write_provenance(
        snakemake.output.provenance,
        study=snakemake.params.study,
        hours=snakemake.input.hours,
        cells=snakemake.params.cells,
        seeds=snakemake.params.seeds,
        left_out=snakemake.params.left_out,
    )
