"""Energy of the same steps by other estimators: their formulas and constants, applied to our ledger.

CodeCarbon (3.3): without a meter, it takes the power of a processor from a table, or 4 W per thread if it does not know
the processor. It estimates the power of memory from a guessed number of modules, at 5 W each and at least 10 W.
Green Algorithms: Lannelongue, Grealey and Inouye 2021, doi:10.1002/advs.202100707.
"""

import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairweight.core.recipes import EnergyRecipe
from fairweight.energy import energy_model
from fairweight.energy.energy_model import Number

W_PER_THREAD = 4.0
W_PER_MODULE = 5.0
LEAST_MEMORY_W = 10.0
GIB = 2**30
WIDTH, INDENT = 110, "    "  # of the text for a terminal
COLUMNS = ["estimator", "mode", "energy_j_low", "energy_j", "energy_j_high", "ratio", "why"]


@dataclass(frozen=True)
class Machine:
    """What CodeCarbon reads from a machine.

    Attributes:
        threads: threads of the processor.
        memory_bytes: size of memory in bytes.
        processor_w: power of the processor in W when all threads are busy.
    """

    threads: int
    memory_bytes: int
    processor_w: float

    @classmethod
    def from_recipe(cls, threads: int, memory_bytes: int, recipe: EnergyRecipe) -> "Machine":
        """A machine with the processor that the study names; CodeCarbon knows no other."""
        known = recipe.get("processor") is not None
        watts = energy_model.watts_per_core(recipe)["central"] if known else W_PER_THREAD
        return cls(threads, memory_bytes, watts * threads)


def memory_w(gib: float) -> float:
    """CodeCarbon's power in W of memory of this size in GiB (x86)."""
    modules = 2 if gib <= 16 else 4 if gib <= 64 else 8 if gib <= 128 else _modules(gib)
    each = [W_PER_MODULE] * 4 + [W_PER_MODULE * 0.9] * 4 + [W_PER_MODULE * 0.8] * 8 + [W_PER_MODULE * 0.7] * 16
    if gib <= 2:
        modules = 1
    return max(LEAST_MEMORY_W, sum(each[:modules]))


def _modules(gib: float) -> int:
    size = next(size for size in (128, 64, 32, 16) if size <= gib / 8)
    return min(math.ceil(gib / size), 32)


def machine_mode_w(load: Number, machine: Machine) -> Number:
    """CodeCarbon's power in W of the whole machine at a load (share of all threads).

    It grows with the cube of the load; an idle processor draws a tenth.
    """
    return machine.processor_w * (0.1 + 0.9 * np.asarray(load) ** 3) + memory_w(machine.memory_bytes / GIB)


def process_mode_j(cpu_s: Number, wall_s: Number, peak_bytes: Number, machine: Machine) -> Number:
    """CodeCarbon's energy in J of one process.

    It is linear in the CPU-seconds; memory counts as if the process had modules of its own.
    """
    memory = np.vectorize(memory_w, otypes=[float])(np.asarray(peak_bytes, float) / GIB)
    return machine.processor_w / machine.threads * np.asarray(cpu_s) + memory * np.asarray(wall_s)


def green_algorithms_j(wall_s: Number, threads: Number, peak_bytes: Number, recipe: EnergyRecipe) -> Number:
    """Green Algorithms' energy in J, with the study's constants.

    energy = wall time x (power of the cores held, all of them busy, + power of memory) x PUE.
    """
    core, memory = energy_model.watts_per_core(recipe)["central"], recipe["watts_per_gb"]["central"]
    held = np.asarray(threads, float) * core + np.asarray(peak_bytes, float) / 1e9 * memory
    return np.asarray(wall_s) * held * recipe["pue"]


def loads(steps: pd.DataFrame, threads: int) -> NDArray[np.float64]:
    """Load of the machine by all steps while each step ran, as a share of all threads, shape (steps,).

    Args:
        steps: started, wall_s, cpu_s; each step is assumed to be equally busy all its time.
        threads: threads of the machine.
    """
    began, wall = steps["started"].to_numpy(float), np.maximum(steps["wall_s"].to_numpy(float), 1e-9)
    ended, rate = began + wall, steps["cpu_s"].to_numpy(float) / wall
    load = np.empty(len(steps))
    for row in range(len(steps)):
        overlap = np.clip(np.minimum(ended, ended[row]) - np.maximum(began, began[row]), 0.0, None)
        load[row] = (overlap * rate).sum() / wall[row] / threads
    return np.minimum(load, 1.0)


def compare(ledger: pd.DataFrame, recipe: EnergyRecipe, machine: Machine) -> pd.DataFrame:
    """Compute the energy of the same steps by each estimator, and why it differs from ours; columns of COLUMNS.

    Steps without known time and CPU-seconds are left out of every row.

    Args:
        ledger: see `ledger.read_ledger`.
        recipe: `energy` of the study file.
        machine: machine on which the steps are assumed to have run.
    """
    steps = ledger[ledger["kind"] == "step"].dropna(subset=["started", "wall_s", "cpu_s", "threads"])
    steps = steps.assign(peak_memory_bytes=steps["peak_memory_bytes"].fillna(0.0))
    own = energy_model.modelled(steps["cpu_s"], recipe, steps["peak_memory_bytes"] / 1e9 * steps["wall_s"])
    ours = {bound: float(own[f"energy_j_{bound}"].sum()) for bound in energy_model.BOUNDS}
    why = "CPU-seconds that were used, peak memory."
    rows = [["fairweight", "CPU-seconds", ours["low"], ours["central"], ours["high"], why]]
    for name, mode, joules, why in _others(steps, recipe, machine):
        rows.append([name, mode, math.nan, joules, math.nan, why])
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "ratio"])
    return table.assign(ratio=table["energy_j"] / ours["central"] if ours["central"] else math.nan)[COLUMNS]


def _others(steps: pd.DataFrame, recipe: EnergyRecipe, machine: Machine) -> Iterator[tuple[str, str, float, str]]:
    """Estimator, mode, energy in J, and why it differs from ours."""
    cpu, wall, peak = (steps[name].to_numpy(float) for name in ("cpu_s", "wall_s", "peak_memory_bytes"))
    watts = energy_model.watts_per_core(recipe)["central"]
    yield (
        "Green Algorithms",
        "cores held",
        float(green_algorithms_j(wall, steps["threads"], peak, recipe).sum()),
        "The same watts, but every core that a step holds counts as busy all its time; a step that waits counts in "
        "full.",
    )
    yield (
        "CodeCarbon",
        "process, one tracker a step",
        float(process_mode_j(cpu, wall, peak, machine).sum()),
        f"{machine.processor_w / machine.threads:.3g} W a thread where we take {watts:.3g}; at least "
        f"{LEAST_MEMORY_W:g} W of memory for each step, as if it had memory modules of its own.",
    )
    yield (
        "CodeCarbon",
        "machine, one tracker a step",
        float((wall * machine_mode_w(loads(steps, machine.threads), machine)).sum()),
        "Each tracker counts the whole machine: where steps run beside each other, it is counted once for each of "
        "them.",
    )
    busy_s, busy = _spans(steps)
    yield (
        "CodeCarbon",
        "machine, one tracker for all",
        float((busy_s * machine_mode_w(np.minimum(busy / machine.threads, 1), machine)).sum()),
        "The machine once, but power grows with the cube of its load, and an idle one draws a tenth; no share for a "
        "step.",
    )


def _spans(steps: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Periods in which no step starts or ends.

    Returns:
        Length in s of each period (0 if no step runs), and CPU-seconds per second in it.
    """
    began, wall = steps["started"].to_numpy(float), np.maximum(steps["wall_s"].to_numpy(float), 1e-9)
    rate = steps["cpu_s"].to_numpy(float) / wall
    times = np.concatenate([began, began + wall])
    order = np.argsort(times, kind="stable")
    running = np.cumsum(np.concatenate([np.ones(len(steps)), -np.ones(len(steps))])[order])[:-1]
    busy = np.cumsum(np.concatenate([rate, -rate])[order])[:-1]
    return np.diff(times[order]) * (running > 0), np.maximum(busy, 0.0)


def text(table: pd.DataFrame) -> str:
    """The table as text for a terminal."""
    lines = ["The same steps by other estimators (all modelled):"]
    for row in table.itertuples():
        name = f"{row.estimator} ({row.mode})"
        lines.append(f"  {name:<44}{row.energy_j:>10.0f} J  x {row.ratio:.2f}")
        lines += textwrap.wrap(str(row.why), WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
    return "\n".join(lines)
