"""Broken study files: each is accepted or refused in one sentence, fast and without a side effect; never a traceback.

The cases are the same in every run: wrong values at every key of the schema, and damage to the text of a file.
"""

import copy
import os
import random
import time
from collections import Counter

import yaml
from studies import tiny

from fairweight.cli import run
from fairweight.cli.main import main
from fairweight.study.schema import read_schema, resolve
from fairweight.study.study import Study

SLOWEST_S = 5.0  # on a busy machine; the usual case takes hundredths of a second
LONGEST = 300  # characters, "fairweight: " in front included
VALUES_PER_KEY = 3
WRONG = [
    None, True, 0, -1, 2, 0.5, -0.0, 1e308, float("inf"), float("nan"), 10**9, 10**18, 10**30,
    "", " ", "x", "\0", "\n", "a" * 300, "a" * 50_000, "../x", "/etc/passwd", "~nobody-here/x", "é", "\u202eabc",
    "\u0430dult", "%s {} {x}", "a:b", "../a:b", f"{'a' * 300}:f", "file:\0", "ftp:x", "1e-3", "2024-02-30",
    [], {}, [[]], [None], ["x", "x"], [1, "a"], list(range(500)), {"a": 1}, {"": 1}, {"\0": 1}, {"no": {"yes": {}}},
    {"method": "x"}, {"method": None}, {"method": ["x"]}, {"architecture": 1}, [{}], [0.5, 0.9], "tcp://h:1", "all",
]  # fmt: skip
DAMAGED = [
    "2024-02-30", "2024-13-45", "12:30", "010", "9" * 5000, "[" * 1000, "{a: " * 500, "*x", "&x [*x]", "!!set x",
    "!!python/object:os.system x", "'", "\t", "\x07", "=", "? a", "%", "@", "`",
]  # fmt: skip


def rich():
    """A legal study with every kind of operation, group and figure; defaults are stated."""
    study = tiny(
        variants__again={"train": "standard", "replicate": 1},
        variants__small={"from": "dense", "factorize": {"method": "svd", "energy": 0.9}},
        variants__student={
            "from": "dense",
            "distill": {"method": "soft_labels", "student": {"architecture": "mlp", "hidden": [4]}},
        },
        variants__coded={"from": "dense", "encode": {"method": "zstd"}},
        variants__fair={"from": "int8", "adjust": {"method": "threshold_optimizer", "attribute": "sex"}},
        variants__scored={"given": {"column": "fnlwgt", "above": 4}},
        variants__published={"pretrained": {}},
        datasets__adult__groups__half={"file": "train", "ranges": {"first": [0, 9], "second": [10, 19]}},
        datasets__adult__groups__race={"column": "race", "values": ["White", "Black"], "reference": {"White": 0.6}},
        energy={
            "embodied": {"total_kg": {"low": 1, "central": 2, "high": 3}, "lifetime_years": 4, "cores": 8},
            "start": {"forecast": "forecast.csv"},
            "g_per_kwh": 100,
        },
        criteria={"ceilings": {"size_bytes": {"at_most": 10}}},
    )
    return resolve(study)


def keys(node, root, place=()):
    """Places of all keys of a schema; `*` is any name or number."""
    node = {**root["$defs"].get(node.get("$ref", "").split("/")[-1], {}), **node}
    for choice in (node, *node.get("oneOf", ())):
        for key, child in choice.get("properties", {}).items():
            yield (*place, key)
            yield from keys(child, root, (*place, key))
        for below in ("additionalProperties", "items"):
            if isinstance(choice.get(below), dict):
                yield from keys(choice[below], root, (*place, "*"))


def changed(study, key, value):
    """A copy of a study with a value at a key of the schema; `*` is the first name or number."""
    node = study = copy.deepcopy(study)
    for part in key[:-1]:
        if isinstance(node, list):
            node = node[0]
            continue
        name = next((name for name in node if part != "*" or isinstance(node[name], dict | list)), "x")
        name = name if part == "*" else part
        if not isinstance(node.get(name), dict | list):
            node[name] = {}
        node = node[name]
    if isinstance(node, list):
        node[:1] = [value]
    else:
        node[key[-1]] = value
    return study


def variant_with(study, operation):
    """The study with the variant that an operation makes first among its variants."""
    first = next((name for name, variant in study["variants"].items() if operation in variant), "dense")
    return study | {"variants": {first: study["variants"][first], **study["variants"]}}


def wrong_values():
    """(what, study) for some wrong values at every key of the schema."""
    study, schema = rich(), read_schema()
    for number, key in enumerate(dict.fromkeys(keys(schema, schema))):
        holder = variant_with(study, key[2]) if key[:1] == ("variants",) and len(key) > 2 else study
        for draw in range(VALUES_PER_KEY):
            value = WRONG[(number * VALUES_PER_KEY + draw) % len(WRONG)]
            yield f"{key} = {value!r:.60}", changed(holder, key, value)


def damaged_texts():
    """(what, bytes) for damage to the text of a study file."""
    text = yaml.safe_dump(tiny(), sort_keys=False)
    lines = text.splitlines()
    rng = random.Random(0)
    for number in range(0, len(lines), 3):  # a key twice, with its value
        yield f"line {number} twice", "\n".join([*lines[: number + 1], *lines[number:]]).encode()
    for value in DAMAGED:
        yield f"title: {value:.20}", text.replace("title: Adult, first rows", f"title: {value}").encode()
    bomb = "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
    )
    yield "aliases on aliases", f"a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n{bomb}{text}".encode()
    yield "a list for the file", b"- a\n- b\n"
    yield "UTF-16", text.encode("utf-16")
    yield "much", (text + "".join(f"k{i}: [a, b]\n" for i in range(200_000))).encode()
    whole = text.encode()
    for _ in range(120):  # bytes that a bad disk or a slip of the hand changes
        start, length = rng.randrange(len(whole)), rng.choice([0, 1, 1, 2, 40])
        inserted = rng.choice(
            [b"", b"\n", b" ", b":", b"-", b"{", b"]", b"\xff", b"\x00", b"'", b"#", b"*a", b"- - - "]
        )
        yield f"{length} bytes at {start} by {inserted!r}", whole[:start] + inserted + whole[start + length :]


def written(study):
    """A study as a file."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(study, Dumper=dumper, allow_unicode=True).encode("utf-8", "surrogatepass")


def outcome(folder, content):
    """`accepted`, or the sentence in which a study file is refused."""
    (folder / "study.yaml").write_bytes(content)
    try:
        main(["run", "study.yaml"])
    except SystemExit as error:
        return str(error)
    return "accepted"


def test_a_broken_study_file_ends_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "_launch", lambda *_: None)  # what a run does once its study is valid
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".table.parquet.fairweight-unfinished-0a1b2c3d").write_text("mine")
    before, environment = sorted(tmp_path.rglob("*")), dict(os.environ)
    cases = [(what, written(study)) for what, study in wrong_values()]
    counts: Counter[str] = Counter()
    for what, content in [*cases, *damaged_texts()]:
        began = time.process_time()
        answer = outcome(tmp_path, content)
        assert time.process_time() - began < SLOWEST_S, what
        counts["accepted" if answer == "accepted" else "refused"] += 1
        if answer != "accepted":
            assert answer.startswith("fairweight: ") and answer.isprintable(), (what, answer)
            assert len(answer) < LONGEST, (what, answer)
        (tmp_path / "study.yaml").unlink()
        assert sorted(tmp_path.rglob("*")) == before and dict(os.environ) == environment, what
    print(dict(counts))
    assert counts["accepted"] + counts["refused"] == len(cases) + len(list(damaged_texts()))
    assert counts["refused"] > 400 and counts["accepted"] > 20


def test_the_study_that_is_damaged_is_legal():
    assert Study(resolve(rich())).name == "tiny"
