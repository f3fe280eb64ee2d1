"""Synthetic traces of RAPL counters in the format that the kernel documents; no recorded trace is available.

Format and figures:
- `energy_uj` counts microjoules and wraps around to 0 after `max_energy_range_uj` (docs.kernel.org/power/powercap).
- Intel's MSR_PKG_ENERGY_STATUS has 32 bits of 2^-14 J (61 uJ): the kernel shows a range of 262143328850 uJ, which many
  machines report. Server DRAM counts in 2^-16 J (15.3 uJ): 65712999613 uJ, as on a Xeon Silver 4314. AMD EPYC counts
  packages in the same unit: 65532610987 uJ, as on an EPYC 7543, which at 225 W wraps every 291 s.
- A counter moves in whole units, about every millisecond.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Zone:
    """One zone of the powercap tree."""

    path: str
    name: str
    range_uj: int
    unit_uj: float


XEON = (
    Zone("intel-rapl:0", "package-0", 262143328850, 1e6 / 2**14),
    Zone("intel-rapl:1", "package-1", 262143328850, 1e6 / 2**14),
    Zone("intel-rapl:0:0", "dram", 65712999613, 1e6 / 2**16),
)
EPYC = (Zone("intel-rapl:0", "package-0", 65532610987, 1e6 / 2**16),)


def trace(zone: Zone, watts: NDArray[np.float64], start_uj: int) -> list[int]:
    """Readings of a counter, one per second from `start_uj` on; there is one more reading than `watts`."""
    joules = np.concatenate([[0.0], np.cumsum(watts)])
    units = np.floor((start_uj + joules * 1e6) / zone.unit_uj)
    return [int(count * zone.unit_uj) % (zone.range_uj + 1) for count in units]
