from fairweight.job import job
from fairweight.provenance import write_provenance

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    write_provenance(
        snakemake.output.provenance,
        study=snakemake.params.study,
        hours=snakemake.input.hours,
        cells=snakemake.params.cells,
        seeds=snakemake.params.seeds,
        left_out=snakemake.params.left_out,
    )
