"""Two equal computations, one alone and two beside each other, by CodeCarbon, by Green Algorithms and by this ledger.

CodeCarbon really runs, in both of its modes, inside each computation, as its users put it there. What it says is held
against its formula on our own account of the same processes, which the report of a study shows.
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
trackers = {mode: OfflineEmissionsTracker(country_iso_code="DEU", tracking_mode=mode, output_methods=[], measure_power_secs=1,
    log_level="error", allow_multiple_runs=True) for mode in ("process", "machine")}
print("ready", flush=True); sys.stdin.readline()
from fairweight.core.resource_usage import process_usage
for tracker in trackers.values(): tracker.start()
before = process_usage(1)
began = time.time()
while time.time() - began < float(sys.argv[1]): math.factorial(3000)
lasted, after = time.time() - began, process_usage(1)
for tracker in trackers.values(): tracker.stop()
said = {mode: (t.final_emissions_data.cpu_energy + t.final_emissions_data.ram_energy) * 3.6e6 for mode, t in trackers.items()}
print(json.dumps({"said": said, "kind": "step", "started": began, "wall_s": lasted, "threads": 1,
    "cpu_s": after["cpu_s"] - before["cpu_s"], "peak_memory_bytes": after["peak_memory_bytes"]}))
"""


def run(count: int) -> tuple[pd.DataFrame, dict[str, float]]:
    """So many computations beside each other: our account of each, and the sum of what CodeCarbon said, in J."""
    started = [
        subprocess.Popen([sys.executable, "-c", TRACKED, str(SECONDS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(count)
    ]  # fmt: skip
    for process in started:
        process.stdout.readline()
    time.sleep(1)
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    rows = [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]
    said = {mode: sum(row["said"][mode] for row in rows) for mode in ("process", "machine")}
    return pd.DataFrame(rows), said


recipe = resolve(yaml.safe_load((ROOT / "config/config.yaml").read_text()))["energy"]
print(f"# {SECONDS} s of one thread each, load {load():.1f}; energy in J, times fairweight's")
found = {}
for count in (1, CORES):
    steps, said = run(count)
    table = compare(steps, recipe, Machine.from_recipe(*machine(), recipe)).set_index(["estimator", "mode"])
    ours = table.loc[("fairweight", "CPU-seconds"), "energy_j"]
    print(f"\n{count} at once, {steps['cpu_s'].sum():.1f} CPU-s")
    for (estimator, mode), row in table.iterrows():
        print(f"  {estimator:<18}{mode:<30}{row['energy_j']:>8.0f}  x {row['ratio']:.2f}")
    for mode, joules in said.items():
        print(f"  {'CodeCarbon, run':<18}{mode + ', one tracker a process':<30}{joules:>8.0f}  x {joules / ours:.2f}")
    found[count] = {"ours": ours, **said}
for name in ("ours", "process", "machine"):
    print(f"{CORES} at once / one alone, {name}: {found[CORES][name] / found[1][name]:.2f}")
