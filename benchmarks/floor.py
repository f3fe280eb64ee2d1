"""The default study against the same computations, called from a plain loop in two preloaded processes.

Usage: floor.py [STUDY] [SEEDS]

The floor has no Snakemake, no Dask, no process a step: two processes that have imported everything take the steps'
scripts in an order that their files allow and run one after another; steps that measure time run alone there too.
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
    """A script with what it is given, and the steps whose files it needs."""

    source: str
    filename: str
    snakemake: bytes
    alone: bool
    outputs: list[str]
    needs: list[int] = field(default_factory=list)


def steps(study: Path, seeds: int, folder: Path) -> list[Step]:
    """All steps of a study, by Snakemake's own DAG."""
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
        factory, found, numbers = ScriptFactory(workflow), [], {}
        for level in workflow.dag.toposorted():
            for job in level:
                if not job.is_script:
                    continue
                script = factory.script(job)
                numbers[job] = len(found)
                needs = [numbers[other] for other in workflow.dag.dependencies[job]]
                alone = bool(job.resources.get("exclusive"))
                found.append(
                    Step(script.source, script.filename, script.snakemake, alone, [str(f) for f in job.output], needs)
                )
    return found


def execute(step: Step) -> None:
    """Run a step in this process."""
    for path in step.outputs:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    names = {"__name__": "__main__", "__file__": step.filename, "snakemake": pickle.loads(step.snakemake)}
    exec(compile(step.source, step.filename, "exec"), names)


def serve(connection) -> None:
    """Run the steps that come through a connection."""
    modules = (ROOT / "profiles/default/preload.txt").read_text().splitlines()
    for module in [m for m in modules if m and not m.startswith("#")]:
        importlib.import_module(module)
    connection.send("ready")
    began = sum(os.times()[:4])  # of the notebook's kernel, too
    while (step := connection.recv()) is not None:
        execute(step)
        connection.send("done")
    connection.send(sum(os.times()[:4]) - began)


def run(found: list[Step]) -> tuple[float, float]:
    """Run all steps in two processes; returns wall seconds and CPU-seconds, the imports not counted."""
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(CORES)]
    workers = [context.Process(target=serve, args=(theirs,)) for _, theirs in pairs]
    for worker in workers:
        worker.start()
    idle = [ours for ours, _ in pairs]
    for connection in idle:
        connection.recv()
    began = time.perf_counter()
    waits = {number: set(step.needs) for number, step in enumerate(found)}
    followers = collections.defaultdict(list)
    for number, step in enumerate(found):
        for need in step.needs:
            followers[need].append(number)
    ready = collections.deque(number for number, needs in waits.items() if not needs)
    busy: dict = {}
    while ready or busy:
        ordinary = next((n for n in ready if not found[n].alone), None)
        while idle and ready and (ordinary is not None or not busy):
            number = ready[0] if ordinary is None else ordinary
            ready.remove(number)
            connection = idle.pop()
            connection.send(found[number])
            busy[connection] = number
            if found[number].alone:
                break
            ordinary = next((n for n in ready if not found[n].alone), None)
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
            found = steps(study, seeds, folder)
            print(f"# {study.name}, {seeds} seeds, {len(found)} steps, load {load():.1f}", flush=True)
            floor, cpu = run(found)
        print(f"plain loop in {CORES} preloaded processes: {floor:.0f} s, {cpu:.0f} CPU-s", flush=True)
        command = [str(Path(sys.executable).with_name("fairweight")), "run", str(study), "--seeds", str(seeds)]
        cost = measure([*command, "--", "--cores", str(CORES)], Path(scratch) / "dask")
        print(
            f"fairweight run: {cost.wall_s:.0f} s, {cost.wall_s / floor:.2f}x the plain loop (goal <= 1.15x, and 420 s); "
            f"{cost.cpu_s:.0f} CPU-s, {cost.cpu_s / cpu:.2f}x, all imports and Snakemake itself counted; load {load():.1f}"
        )


if __name__ == "__main__":
    main()
