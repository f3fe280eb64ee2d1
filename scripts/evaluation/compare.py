from fairweight.core.step import step
from fairweight.evaluation.compare import compare

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    compare(
        predictions=list(snakemake.input.predictions),
        about=snakemake.params.about,
        table=snakemake.input.table,
        augmentation=snakemake.wildcards.augmentation,
        baselines=snakemake.params.baselines,
        smallest_group=snakemake.params.smallest_group,
        intersections=snakemake.params.intersections,
        comparisons=snakemake.output.comparisons,
        pairs=snakemake.output.pairs,
        replicates=snakemake.output.replicates,
        models=snakemake.output.models,
        simple=snakemake.input.simple,
    )
