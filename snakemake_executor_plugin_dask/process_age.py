"""How long this process has run (psutil beside the standard library)."""

import os
import time
from pathlib import Path

import psutil


def age_s() -> float:
    """Seconds since this process started, to 10 ms.

    On Linux, start and now are read from the clock that counts from the boot and that nobody sets; time in which the
    machine sleeps counts. psutil adds the start to a boot time that the kernel gives in whole seconds, which would make
    every process up to a second older. Elsewhere psutil's start is exact, but a change of the wall clock counts.
    """
    try:
        # the name of the program, in parentheses, may hold blanks
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        start = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return max(0.0, time.time() - psutil.Process().create_time())
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - start)
