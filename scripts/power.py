from pathlib import Path

from fairweight.job import job
from fairweight.planning import plan

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    plan(
        tables={Path(path).parent.name: path for path in snakemake.input.tables},
        splits={Path(path).parent.name: path for path in snakemake.input.splits},
        tests=snakemake.params.tests,
        seeds=snakemake.params.seeds,
        criteria=snakemake.params.criteria,
        smallest_group=snakemake.params.smallest_group,
        destination=snakemake.output.power,
    )
