from fairweight.core.step import step
from fairweight.evaluation.gate import hold_against_criteria

with step(snakemake.log[0], snakemake.output.usage, snakemake.threads):
    hold_against_criteria(
        decisions=snakemake.input.decisions,
        criteria=snakemake.input.criteria,
        destination=snakemake.output.verdict,
        variant=snakemake.params.variant,
    )
