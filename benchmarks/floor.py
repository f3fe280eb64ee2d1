"""The default study compared with the same computations in a plain loop over two preloaded processes.

Usage: floor.py [STUDY] [SEEDS]

The plain loop is the floor: it has no Snakemake, no Dask, and no new process for a step. Two processes that have
imported everything run the scripts of the steps one after another, in an order that their files allow. Steps that
measure time run alone here as well.
"""

import collections
import contextlib
import importlib
import io
import multiprocessing
import os
import pickle
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from meter import CORES, ROOT, load, measure
from snakemake import api
from snakemake.settings import types as settings

from snakemake_executor_plugin_dask.warm import ScriptFactory


@dataclass
class Step:
    """A script with its `snakemake` object, and the numbers of the steps whose files it needs."""

    source: str
    filename: str
    snakemake: bytes
    alone: bool
    outputs: list[str]
    needs: list[int] = field(default_factory=list)


def steps(study: Path, seeds: int, folder: Path) -> list[Step]:
    """All steps of a study in topological order, from Snakemake's DAG."""
    with api.SnakemakeApi(settings.OutputSettings(quiet={settings.Quietness.ALL})) as snakemake_api:
        workflow_api = snakemake_api.workflow(
            resource_settings=settings.ResourceSettings(cores=CORES),
            config_settings=settings.ConfigSettings(configfiles=[study], config={"seeds": seeds}),
            snakefile=ROOT / "Snakefile",
            workdir=folder,
        )
        with contextlib.redirect_stdout(io.StringIO()):
            workflow_api.dag().summary()
        workflow = workflow_api._workflow
        workflow.execution_settings = settings.ExecutionSettings()  # which a workflow that is not executed lacks
        factory, ordered, numbers = ScriptFactory(workflow), [], {}
        for level in workflow.dag.toposorted():
            for job in level:
                if not job.is_script:
                    continue
                script = factory.script(job)
                numbers[job] = len(ordered)
                needs = [numbers[other] for other in workflow.dag.dependencies[job]]
                alone = bool(job.resources.get("exclusive"))
                ordered.append(
                    Step(script.source, script.filename, script.snakemake, alone, [str(f) for f in job.output], needs)
                )
    return ordered


def execute(step: Step) -> None:
    """Run a step in this process."""
    for path in step.outputs:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    names = {"__name__": "__main__", "__file__": step.filename, "snakemake": pickle.loads(step.snakemake)}
    exec(compile(step.source, step.filename, "exec"), names)


def serve(connection) -> None:
    """Run the steps that arrive through a connection."""
    modules = (ROOT / "profiles/default/preload.txt").read_text().splitlines()
    for module in [m for m in modules if m and not m.startswith("#")]:
        importlib.import_module(module)
    connection.send("ready")
    began = sum(os.times()[:4])  # includes the kernel of the notebooks
    while (step := connection.recv()) is not None:
        execute(step)
        connection.send("done")
    connection.send(sum(os.times()[:4]) - began)


def run(queued: list[Step]) -> tuple[float, float]:
    """Run all steps in two processes; returns wall seconds and CPU-seconds without imports."""
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(CORES)]
    workers = [context.Process(target=serve, args=(theirs,)) for _, theirs in pairs]
    for worker in workers:
        worker.start()
    idle = [ours for ours, _ in pairs]
    for connection in idle:
        connection.recv()
    began = time.perf_counter()
    waits = {number: set(step.needs) for number, step in enumerate(queued)}
    followers = collections.defaultdict(list)
    for number, step in enumerate(queued):
        for need in step.needs:
            followers[need].append(number)
    ready = collections.deque(number for number, needs in waits.items() if not needs)
    busy: dict = {}
    while ready or busy:
        ordinary = next((n for n in ready if not queued[n].alone), None)
        while idle and ready and (ordinary is not None or not busy):
            number = ready[0] if ordinary is None else ordinary
            ready.remove(number)
            connection = idle.pop()
            connection.send(queued[number])
            busy[connection] = number
            if queued[number].alone:
                break
            ordinary = next((n for n in ready if not queued[n].alone), None)
        for connection in multiprocessing.connection.wait(list(busy)):
            connection.recv()
            ended = busy.pop(connection)
            idle.append(connection)
            for follower in followers[ended]:
                waits[follower].discard(ended)
                if not waits[follower]:
                    ready.append(follower)
    seconds = time.perf_counter() - began
    for connection in idle:
        connection.send(None)
    cpu = sum(connection.recv() for connection in idle)
    for worker in workers:
        worker.join()
    return seconds, cpu


def main() -> None:
    """Print both times and their ratio."""
    study = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "config/config.yaml").resolve()
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else yaml.safe_load(study.read_text())["seeds"]
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("floor", "dask"):
            (Path(scratch) / name).mkdir()
        folder = Path(scratch) / "floor"
        with contextlib.chdir(folder):
            ordered = steps(study, seeds, folder)
            print(f"# {study.name}, {seeds} seeds, {len(ordered)} steps, load {load():.1f}", flush=True)
            floor, cpu = run(ordered)
        print(f"plain loop in {CORES} preloaded processes: {floor:.0f} s, {cpu:.0f} CPU-s", flush=True)
        command = [str(Path(sys.executable).with_name("fairweight")), "run", str(study), "--seeds", str(seeds)]
        used = measure([*command, "--", "--cores", str(CORES)], Path(scratch) / "dask")
        print(
            f"fairweight run: {used.wall_s:.0f} s, {used.wall_s / floor:.2f}x the plain loop (goal <= 1.15x, and "
            "420 s); "
            f"{used.cpu_s:.0f} CPU-s, {used.cpu_s / cpu:.2f}x, including all imports and Snakemake itself; "
            f"load {load():.1f}"
        )


if __name__ == "__main__":
    main()
