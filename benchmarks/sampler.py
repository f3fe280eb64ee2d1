"""Measure the CPU time of one sample of a node's meters, on a powercap tree with two packages.

The sampler takes one sample per second; its share of one core must stay below a limit.
"""

import sys
import tempfile
import time
from pathlib import Path

from meter import ROOT

sys.path.insert(0, str(ROOT))

from fairweight.energy.meters import Rapl
from fairweight.energy.power_sampler import INTERVAL_S, Sampler

SAMPLES = 2000
LIMIT = 0.005  # share of one core

with tempfile.TemporaryDirectory() as folder:
    for number in range(2):
        zone = Path(folder) / f"intel-rapl:{number}"
        zone.mkdir()
        files = {"name": f"package-{number}", "max_energy_range_uj": "262143328850", "energy_uj": "5"}
        for name, text in files.items():
            (zone / name).write_text(text)
    with (Path(folder) / "samples").open("w") as file:
        sampler = Sampler([Rapl(Path(folder))], file)
        began = time.process_time()
        for _ in range(SAMPLES):
            sampler.sample("run")
        each = (time.process_time() - began) / SAMPLES
share = each / INTERVAL_S
print(f"a sample takes {each * 1e3:.3f} CPU-ms: {share:.4%} of one core (at most {LIMIT:.1%})")
sys.exit(share > LIMIT)
