"""Raw files are parsed once; whatever is kept between the two passes of `read`, table and counts are the same."""

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dataset_recipes import dataset

from fairweight.core import table as tables
from fairweight.core.checksums import checksum
from fairweight.core.errors import InputError
from fairweight.data import delimited_columns, raw_spool
from fairweight.data.read import read
from fairweight.data.readers import delimited

ROWS = 400
RECIPE = {
    "inputs": {"numeric": ["age", "born", "long"], "categorical": ["job", "code"], "missing_numeric": "mean"},
    "target": {"column": "paid", "strip": ".", "only": ["yes", "no"]},
    "groups": {"sex": {"column": "sex"}, "age": {"column": "age", "bins": [30, 50]}, "job": {"column": "job"}},
    "dates": {"born": "iso"},
    "drop": ["name"],
    "quasi_identifiers": ["age", "town"],
}


def people(path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "name": [f'"{i}", the "first"' for i in range(ROWS)],
            "age": rng.integers(18, 90, ROWS).astype(str),
            "born": pd.Timestamp("1950-01-01") + pd.to_timedelta(rng.integers(0, 20_000, ROWS), "D"),
            "long": rng.normal(size=ROWS),
            "job": rng.choice(["cook", " cook ", "line\nbreak", "é", "NA", '5" disk'], ROWS),
            "code": rng.choice(["1", "1.0", "01", "2"], ROWS),
            "town": rng.choice(list("abc"), ROWS),
            "sex": rng.choice(["f", "m", ""], ROWS),
            "score": rng.random(ROWS).round(3),
            "guess": rng.choice(["yes", "no", "no."], ROWS),
            "paid": rng.choice(["yes", "no", "no.", "unknown"], ROWS),
        }
    )
    frame.loc[5:9, "age"] = ""
    frame.to_csv(path, index=False)


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    path = tmp_path_factory.mktemp("people") / "people.csv"
    people(path)
    return path


def outputs(raw, folder, threads=1, **changes):
    recipe = dataset(reader={"method": "delimited"}, **(RECIPE | changes))
    paths = str(folder / "table.parquet"), str(folder / "contents.json")
    read({"all": str(raw)}, *paths, name="d", recipe=recipe, given=["score"], predicted=["guess"], threads=threads)
    return [checksum(Path(path)) for path in paths]


@pytest.mark.parametrize("target", [RECIPE["target"], {"column": "paid", "strip": "."}], ids=["only", "all rows"])
def test_the_way_through_the_passes_changes_no_byte(raw, tmp_path, monkeypatch, target):
    passes = 2 if "only" in target else 1

    def written(**options):
        return outputs(raw, tmp_path, target=target, **options)

    monkeypatch.setattr(tables, "BLOCK_ROWS", 64)
    calls, once = [], delimited.blocks
    monkeypatch.setattr(delimited, "blocks", lambda *args, **options: calls.append(1) or once(*args, **options))
    expected = written()
    assert len(calls) == passes  # `target: only` looks at all rows before
    assert written(threads=2) == expected
    monkeypatch.setattr(delimited_columns, "CHUNK_BYTES", 999)
    monkeypatch.setattr(delimited_columns, "LARGEST_CHUNK", 999)  # a block is put together from several chunks
    assert written() == expected
    monkeypatch.setattr(delimited_columns, "_by_arrow", lambda _form: False)
    assert written() == expected
    calls.clear()
    monkeypatch.setattr(pa, "OSFile", full_disk)
    assert written() == expected
    assert len(calls) == passes + 1


def test_what_cannot_be_kept_is_refused_after_what_the_survey_says(raw, tmp_path):
    with pytest.raises(InputError, match="quasi_identifiers: column 'towm' is not in the data"):
        outputs(raw, tmp_path, quasi_identifiers=["towm"])
    with pytest.raises(InputError, match="inputs: numeric: column 'job'"):
        outputs(raw, tmp_path, inputs={"numeric": ["job"]})


def test_temporary_files_are_removed(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "BLOCK_ROWS", 64)
    made = []
    monkeypatch.setattr(raw_spool.tempfile, "tempdir", str(tmp_path / "temporary"), raising=False)
    (tmp_path / "temporary").mkdir()
    added = raw_spool.Spool.add
    monkeypatch.setattr(raw_spool.Spool, "add", lambda self, rows: added(self, rows) or made.append(self.blocks[-1][1]))
    outputs(raw, tmp_path)
    assert sum(path is not None for path in made) >= 4 and not any((tmp_path / "temporary").iterdir())
