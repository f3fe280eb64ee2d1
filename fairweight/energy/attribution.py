"""Share the metered energy of a node among the jobs that ran on it (NumPy and pandas; reads no files)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CLOCK_TOLERANCE_S = 1.0
LONGEST_GAP_S = 30.0  # after a longer silence of the sampler, nothing is known about the time in between
COVERED = 0.99  # share of a job's CPU-seconds that must be metered


@dataclass(frozen=True)
class Shares:
    """Where the energy of one node went, in J; jobs, idle, others and unattributed sum to `metered_j`.

    Attributes:
        jobs: active energy of each job, shape (jobs,); NaN where the job is not metered.
        status: `measured` or `not attributable` for each job. A job is not attributable if less than 99 % of its time
            is metered, or if the node was not busy.
        metered_j: what the meters counted during the run.
        idle_j: what the idle node would have used in the same time.
        others_j: active energy of other processes, including the run itself.
        unattributed_j: active energy of times that cannot be shared out, and of jobs that are not attributable.
        idle_busy_cores: how many cores were busy while the idle node was measured; NaN where unknown. What they drew
            counts as idle and is missing from the active energy.
    """

    jobs: NDArray[np.float64]
    status: list[str]
    metered_j: float
    idle_j: float
    others_j: float
    unattributed_j: float
    idle_busy_cores: float


def idle_rate(samples: pd.DataFrame, column: str) -> float:
    """Increase of a column per second in the idle phase, such as W for `energy_j`; NaN with fewer than two samples.

    Args:
        samples: columns phase, clock (s), and the column (cumulative, NaN where unknown).
        column: name of the column.
    """
    idle = samples[(samples["phase"] == "idle") & samples[column].notna()]
    if len(idle) < 2:
        return float("nan")
    first, last = idle.iloc[0], idle.iloc[-1]
    return float((last[column] - first[column]) / (last["clock"] - first["clock"]))


def share(samples: pd.DataFrame, jobs: pd.DataFrame) -> Shares:
    """Share the active energy of a node among jobs by their share of its busy CPU-seconds, interval by interval.

    A job is assumed to be equally busy all the time that it runs. Active energy is what exceeds the power of the idle
    node. Three kinds of intervals are not attributable: those without energy (a meter vanished), those with a silent
    sampler, and all intervals after a jump of the wall clock, because jobs are placed by the wall clock.

    Args:
        samples: of one node, in order: phase, time (wall clock, s), clock (monotonic, s), busy_cpu_s and energy_j
            (cumulative; NaN where unknown).
        jobs: on the same node: started (wall clock, s), wall_s, cpu_s.
    """
    run = samples[samples["phase"] == "run"].reset_index(drop=True)
    idle_w = idle_rate(samples, "energy_j")
    time, clock = run["time"].to_numpy(float), run["clock"].to_numpy(float)
    lasted = np.diff(clock)
    energy = np.diff(run["energy_j"].to_numpy(float))
    known = np.isfinite(energy)
    known &= np.isfinite(idle_w)
    shareable = known & (lasted <= LONGEST_GAP_S) & (np.cumsum(np.abs(np.diff(time) - lasted) > CLOCK_TOLERANCE_S) == 0)
    idle = np.where(known, np.minimum(idle_w * lasted, energy), 0.0)
    active = np.where(known, energy, 0.0) - idle
    cpu = _cpu_by_interval(time, jobs)  # (jobs, intervals)
    of_jobs = cpu.sum(axis=0)
    busy = np.fmax(np.diff(run["busy_cpu_s"].to_numpy(float)), of_jobs)
    shareable &= busy > 0
    rate = np.divide(active, busy, out=np.zeros_like(active), where=shareable)
    metered = _covered(cpu, shareable, jobs["cpu_s"].to_numpy(float)) >= COVERED
    energies = (cpu * rate).sum(axis=1)
    total, idle_j = float(np.where(known, energy, 0.0).sum()), float(idle.sum())
    others = float(((busy - of_jobs) * rate).sum())
    return Shares(
        jobs=np.where(metered, energies, np.nan),
        status=["measured" if m else "not attributable" for m in metered],
        metered_j=total,
        idle_j=idle_j,
        others_j=others,
        unattributed_j=total - idle_j - others - float(energies[metered].sum()),
        idle_busy_cores=idle_rate(samples, "busy_cpu_s"),
    )


def _cpu_by_interval(time: NDArray[np.float64], jobs: pd.DataFrame) -> NDArray[np.float64]:
    """CPU-seconds of each job in each interval between samples, shape (jobs, intervals)."""
    started, wall = jobs["started"].to_numpy(float)[:, None], jobs["wall_s"].to_numpy(float)[:, None]
    overlap = np.clip(np.minimum(time[1:], started + wall) - np.maximum(time[:-1], started), 0.0, None)
    # a job without time or CPU-seconds has no share
    share = np.divide(overlap, wall, out=np.zeros_like(overlap), where=np.broadcast_to(wall, overlap.shape) > 0)
    return np.nan_to_num(share * jobs["cpu_s"].to_numpy(float)[:, None])


def _covered(cpu: NDArray[np.float64], shareable: NDArray[np.bool_], cpu_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each job's CPU-seconds that lies in intervals whose energy can be shared out, shape (jobs,)."""
    return np.divide((cpu * shareable).sum(axis=1), cpu_s, where=cpu_s > 0, out=np.zeros(len(cpu_s)))
