from fairweight.core.step import step
from fairweight.evaluation.compare_explanations import compare_explanations

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    compare_explanations(
        explanations=list(snakemake.input.explanations),
        about=snakemake.params.about,
        tables=dict(zip(snakemake.params.datasets, snakemake.input.tables, strict=True)),
        replicates=snakemake.params.replicates,
        reasons=snakemake.output.reasons,
        importances=snakemake.output.importances,
    )
