"""Energy meters of a node: RAPL through powercap, NVML, and a command that prints watts (standard library only).

Every meter has `read_j()`: energy in J by domain since the meter was opened, which never decreases. It raises OSError
if a domain can no longer be read.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from fairweight.core.errors import InputError

POWERCAP = Path("/sys/class/powercap")
COMMAND_TIMEOUT_S = 5.0
# no package draws more: a larger increase means that the counter was reset, for example by a suspended machine
MOST_W = 2000.0
SHORTEST_S = 1.0  # the counter updates about every millisecond; readings at shorter intervals say little about power


class Meter(Protocol):
    """Something that counts energy."""

    def read_j(self) -> dict[str, float]:
        """Energy in J by domain since the meter was opened."""


class Rapl:
    """Packages and DRAM of the powercap tree; cores and graphics are parts of a package, and psys includes all.

    The counters follow https://docs.kernel.org/power/powercap/powercap.html: they count microjoules and wrap around to
    0 after `max_energy_range_uj`. Two readings must be at most one such range apart, which is minutes at full power.
    """

    def __init__(self, root: Path = POWERCAP, clock: Callable[[], float] = time.monotonic) -> None:
        """Find the counters in a powercap tree; there may be none.

        Args:
            root: the tree.
            clock: monotonic seconds, which limit how much can have been used between two readings.

        Raises:
            OSError: there are counters that may not be read (most kernels let only root read them).
        """
        self._zones = {self._domain(zone): zone for zone in sorted(root.glob("intel-rapl:*")) if self._counted(zone)}
        self._range = {name: int((zone / "max_energy_range_uj").read_text()) for name, zone in self._zones.items()}
        self._last = {name: self._counter(name) for name in self._zones}
        self._total = dict.fromkeys(self._zones, 0)
        self._clock, self._read = clock, clock()

    @staticmethod
    def _counted(zone: Path) -> bool:
        name = (zone / "name").read_text().strip()
        return (zone / "energy_uj").exists() and (name.startswith("package") or name == "dram")

    @staticmethod
    def _domain(zone: Path) -> str:
        # intel-rapl:0 is package-0, and intel-rapl:0:2 may be the DRAM beside it
        return f"{(zone / 'name').read_text().strip()}@{zone.name.removeprefix('intel-rapl:')}"

    def _counter(self, name: str) -> int:
        return int((self._zones[name] / "energy_uj").read_text())

    def __bool__(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._zones)

    def read_j(self) -> dict[str, float]:
        """Energy in J of each package and DRAM since the meter was opened."""
        now = self._clock()
        most_uj = MOST_W * max(now - self._read, SHORTEST_S) * 1e6
        for name in self._zones:
            count = self._counter(name)
            grown = count - self._last[name]
            if grown < 0:
                grown += self._range[name] + 1
            if grown > most_uj:
                raise OSError(f"{self._zones[name]}: the counter was reset")
            self._total[name] += grown
            self._last[name] = count
        self._read = now
        return {name: total / 1e6 for name, total in self._total.items()}


class Nvml:
    """Total energy of every GPU, which NVML counts in mJ since the driver was loaded (Volta and newer)."""

    def __init__(self, nvml: Any) -> None:
        """Open every GPU that the module `nvml` (pynvml or one with the same functions) lists."""
        self._nvml, self._gpus = nvml, {}
        nvml.nvmlInit()
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            self._gpus[f"gpu-{index}"] = (handle, nvml.nvmlDeviceGetTotalEnergyConsumption(handle))

    def __bool__(self) -> bool:
        """Whether there is a GPU."""
        return bool(self._gpus)

    def read_j(self) -> dict[str, float]:
        """Energy in J of each GPU since the meter was opened."""
        try:
            return {
                name: (self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle) - first) / 1e3
                for name, (handle, first) in self._gpus.items()
            }
        except self._nvml.NVMLError as error:
            raise OSError(f"NVML: {error}") from None


class Command:
    """A program that prints the watts of the node, for example of a wall meter; its readings are integrated."""

    def __init__(self, arguments: list[str]) -> None:
        """Run the program once.

        Raises:
            InputError: it cannot be run, or does not print a number.
        """
        self._arguments, self._total = arguments, 0.0
        try:
            self._watts, self._clock = self._read_w(), time.monotonic()
        except OSError as error:
            raise InputError(
                f"energy: meter_command: {error}; it must print watts as a number, and nothing else."
            ) from None

    def _read_w(self) -> float:
        try:
            done = subprocess.run(
                self._arguments, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True
            )
            watts = float(done.stdout)
        except (subprocess.SubprocessError, ValueError) as error:
            raise OSError(f"{self._arguments[0]}: {error}") from None
        if not 0 <= watts < float("inf"):
            raise OSError(f"{self._arguments[0]}: {watts} is not a power in watts")
        return watts

    def read_j(self) -> dict[str, float]:
        """Energy in J since the meter was opened, by the trapezoidal rule."""
        watts, clock = self._read_w(), time.monotonic()
        self._total += (watts + self._watts) / 2 * (clock - self._clock)
        self._watts, self._clock = watts, clock
        return {"wall": self._total}


def open_meters(command: list[str] | None = None, powercap: Path = POWERCAP) -> tuple[list[Meter], list[str]]:
    """Open every meter that can be read on this machine.

    Args:
        command: program that prints watts, with its arguments. It is the only meter then, because a wall meter also
            counts processors and GPUs.
        powercap: the powercap tree.

    Returns:
        The meters, and the reasons why the others cannot be read.
    """
    if command:
        return [Command(command)], []
    meters: list[Meter] = []
    reasons = []
    try:
        rapl = Rapl(powercap)
        if rapl:
            meters.append(rapl)
        elif sys.platform == "linux":
            reasons.append(f"RAPL: no package in {powercap}")
        else:
            reasons.append("RAPL: on Linux only")
    except OSError as error:
        reasons.append(f"RAPL: {error}")
    try:
        import pynvml  # noqa: PLC0415 - only where it is installed

        gpus = Nvml(pynvml)
        if gpus:
            meters.append(gpus)
    except ImportError:
        reasons.append("NVML: the package nvidia-ml-py is not installed")
    except pynvml.NVMLError as error:
        reasons.append(f"NVML: {error}")
    return meters, reasons
