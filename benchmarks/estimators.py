"""Energy of equal computations, one alone and several at once, by CodeCarbon, Green Algorithms and this ledger.

CodeCarbon itself runs in both of its modes inside each computation, as its users place it. Its figures are compared
with its formula applied to our usage figures of the same processes, which the report of a study shows.
"""

import json
import subprocess
import sys
import time

from meter import CORES, ROOT, load

sys.path.insert(0, str(ROOT))

import pandas as pd
import yaml

from fairweight.core.resource_usage import machine
from fairweight.energy.other_estimators import Machine, compare
from fairweight.study.schema import resolve

SECONDS = 8
TRACKED = """
import json, logging, math, sys, time
from codecarbon import OfflineEmissionsTracker
logging.getLogger("codecarbon").disabled = True
trackers = {mode: OfflineEmissionsTracker(country_iso_code="DEU", tracking_mode=mode, output_methods=[],
    measure_power_secs=1, log_level="error", allow_multiple_runs=True) for mode in ("process", "machine")}
print("ready", flush=True); sys.stdin.readline()
from fairweight.core.resource_usage import process_usage
for tracker in trackers.values(): tracker.start()
before = process_usage(1)
began, clock = time.time(), time.perf_counter()
while time.perf_counter() - clock < float(sys.argv[1]): math.factorial(3000)
lasted, after = time.perf_counter() - clock, process_usage(1)
for tracker in trackers.values(): tracker.stop()
data = {mode: tracker.final_emissions_data for mode, tracker in trackers.items()}
codecarbon = {mode: (d.cpu_energy + d.ram_energy) * 3.6e6 for mode, d in data.items()}
print(json.dumps({"codecarbon": codecarbon, "kind": "step", "started": began, "wall_s": lasted, "threads": 1,
    "cpu_s": after["cpu_s"] - before["cpu_s"], "peak_memory_bytes": after["peak_memory_bytes"]}))
"""


def run(count: int) -> tuple[pd.DataFrame, dict[str, float]]:
    """Run `count` computations at once.

    Returns:
        Our usage figures of each, and the sum of CodeCarbon's energy in J by mode.
    """
    command, pipe = [sys.executable, "-c", TRACKED, str(SECONDS)], subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) for _ in range(count)]
    for process in processes:
        process.stdout.readline()
    time.sleep(1)
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    rows = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
    codecarbon = {mode: sum(row["codecarbon"][mode] for row in rows) for mode in ("process", "machine")}
    return pd.DataFrame(rows), codecarbon


recipe = resolve(yaml.safe_load((ROOT / "config/config.yaml").read_text()))["energy"]
print(f"# {SECONDS} s of one thread each, load {load():.1f}; energy in J, and its ratio to fairweight's")
energies = {}
for count in (1, CORES):
    steps, codecarbon = run(count)
    table = compare(steps, recipe, Machine.from_recipe(*machine(), recipe)).set_index(["estimator", "mode"])
    ours = table.loc[("fairweight", "CPU-seconds"), "energy_j"]
    print(f"\n{count} at once, {steps['cpu_s'].sum():.1f} CPU-s")
    for (estimator, mode), row in table.iterrows():
        print(f"  {estimator:<18}{mode:<30}{row['energy_j']:>8.0f}  x {row['ratio']:.2f}")
    for mode, joules in codecarbon.items():
        print(f"  {'CodeCarbon, run':<18}{mode + ', one tracker a process':<30}{joules:>8.0f}  x {joules / ours:.2f}")
    energies[count] = {"ours": ours, **codecarbon}
for name in ("ours", "process", "machine"):
    print(f"{CORES} at once / one alone, {name}: {energies[CORES][name] / energies[1][name]:.2f}")
