"""Writes Snakemake's benchmark file from the measurements of each repeat."""

from typing import Any

from snakemake.benchmark import BenchmarkRecord, write_benchmark_records

from snakemake_executor_plugin_dask.request import Usage

UNKNOWN = "NA"


def write(job: Any, usages: list[Usage], *, extended: bool) -> None:
    """Write the file of a job's `benchmark:` directive.

    Args:
        job: Snakemake's job.
        usages: resource usage of each repeat.
        extended: whether to write Snakemake's extended columns.
    """
    write_benchmark_records([_record(job, usage) for usage in usages], str(job.benchmark), extended)


def _record(job: Any, usage: Usage) -> BenchmarkRecord:
    """Fill in a record: CPU time and peak memory from the operating system, other columns from Snakemake's samples.

    Columns that need samples are NA for a job that ends before the first one.
    """
    record = BenchmarkRecord()
    record.jobid, record.rule_name, record.wildcards = job.jobid, job.rule.name, job.wildcards
    record.params, record.resources = job.params, job.resources
    record.threads, record.input = job.threads, job.input
    record.running_time = usage.wall_s
    for name in ("max_vms", "max_uss", "max_pss", "io_in", "io_out"):
        value = usage.sampled.get(name)
        setattr(record, name, UNKNOWN if value is None else value)
    if usage.cpu_s is not None and usage.peak_memory_bytes is not None:
        record.data_collected = True
        record.max_rss = max(usage.peak_memory_bytes / 2**20, usage.sampled.get("max_rss") or 0)
        record.cpu_time = usage.cpu_s
        record.cpu_usage = 100 * usage.cpu_s  # percent of a core; Snakemake divides it by the running time
    return record
