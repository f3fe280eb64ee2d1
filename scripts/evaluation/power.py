from pathlib import Path

from fairweight.core.step import step
from fairweight.evaluation.power import plan

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    plan(
        tables={Path(path).parent.name: path for path in snakemake.input.tables},
        splits={Path(path).parent.name: path for path in snakemake.input.splits},
        tests=snakemake.params.tests,
        seeds=snakemake.params.seeds,
        criteria=snakemake.params.criteria,
        smallest_group=snakemake.params.smallest_group,
        destination=snakemake.output.power,
    )
