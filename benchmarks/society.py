"""What the audit of membership and the explanations of a study of Adult take, beside the study itself, in one run.

Usage: society.py      (about six CPU-minutes on two cores)

CPU-seconds are those of the steps, from their usage files; the wall time is their sum over the two cores.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd
import yaml
from meter import load

from fairweight.study.examined import FIRST_SHADOW

ROOT = Path(__file__).parents[1]
AUDITED = ["dense", "int8", "pruned90", "pruned90_int8"]
EXPLAINED = [*AUDITED, "dense_again", "pruned50"]


def study() -> dict:
    """The part of the default study on Adult, with an audit of four variants and explanations of six."""
    default = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    return default | {
        "name": "society",
        "datasets": {"adult": default["datasets"]["adult"]},
        "models": {"mlp": default["models"]["mlp"]},
        "augmentations": {},
        "privacy_audit": {"shadows": 16, "variants": AUDITED},
        "explain": {"rows": 500, "permutations": 10, "variants": EXPLAINED},
        "grid": [{"dataset": "adult", "models": ["mlp"], "variants": EXPLAINED}],
    }


def part_of(usage: Path) -> str:
    """The part of a study that a step belongs to."""
    rule = usage.name.split(".")[-3]
    seeds = [int(part.removeprefix("seed-")) for part in usage.parts if part.startswith("seed-")]
    if rule == "audit" or (seeds and seeds[0] >= FIRST_SHADOW):
        return "audit"
    return "explanations" if rule in ("explain", "compare_explanations") else "study"


def main() -> None:
    """Run the study, and print CPU-seconds by part and what audit and explanations find."""
    before = load()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "study.yaml").write_text(yaml.safe_dump(study(), sort_keys=False), encoding="utf-8")
        command = [sys.executable, "-c", "from fairweight.cli.main import main; main()", "run", "study.yaml"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        results = folder / "results" / "society"
        seconds: Counter[str] = Counter()
        for usage in results.rglob("*.usage.json"):
            seconds[part_of(usage)] += json.loads(usage.read_text(encoding="utf-8"))["cpu_s"]
        privacy, reasons = (pd.read_parquet(results / "summary" / f"{name}.parquet") for name in ("privacy", "reasons"))
    print(f"load {before} before, {load()} after\n")
    for part, used in seconds.most_common():
        print(f"{part:14} {used:8.1f} CPU-s")
    overall = privacy[privacy["group"].isna() & privacy["measure"].isin(["auc", "tpr_at_0.001", "exposed_rows"])]
    print(f"\n{overall[['variant', 'attack', 'measure', 'value', 'low', 'high', 'change']].to_string(index=False)}")
    agreement = reasons[reasons["group"].isna() & (reasons["measure"].isin(["rank_correlation", "deletion", "random"]))]
    print(f"\n{agreement[['variant', 'measure', 'value', 'low', 'high', 'floor']].to_string(index=False)}")


if __name__ == "__main__":
    main()
