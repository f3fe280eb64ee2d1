from fairweight.gate import hold_against_criteria
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    hold_against_criteria(
        decisions=snakemake.input.decisions,
        criteria=snakemake.input.criteria,
        destination=snakemake.output.verdict,
        variant=snakemake.params.variant,
    )
