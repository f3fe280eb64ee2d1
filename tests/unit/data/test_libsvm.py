"""The reader of libsvm files gives what scikit-learn reads, and refuses what is not of the form."""

import gzip
import random

import numpy as np
import pandas as pd
import pytest
from dataset_recipes import dataset as dataset_recipe
from sklearn.datasets import dump_svmlight_file, load_breast_cancer, load_svmlight_file

from fairweight.core.artifacts import read_json, read_table
from fairweight.core.errors import InputError
from fairweight.data.read import read as read_step
from fairweight.data.readers import libsvm
from fairweight.data.readers.libsvm import read

NOTHING = {"first_index": None, "features": None, "rows": None}


def frame(tmp_path, content, **options):
    path = tmp_path / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return pd.concat(read({"all": path}, **(NOTHING | options)), ignore_index=True)


def values(rows):
    return rows.drop(columns=["label", "__file__"]).to_numpy()


def sparse_data(seed=0, rows=500, columns=40):
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(rows, columns)) * 10.0 ** rng.integers(-300, 300, (rows, columns))
    data[rng.random((rows, columns)) < 0.8] = 0
    data[0, -1], data[:, 0] = 1.5, 1
    return data, rng.integers(0, 3, rows)


@pytest.mark.parametrize("chunk", [400, 4 * 2**20])
@pytest.mark.parametrize("zero_based", [False, True])
@pytest.mark.parametrize("dense", [False, True])
def test_it_reads_what_scikit_learn_reads(tmp_path, monkeypatch, chunk, zero_based, dense):
    monkeypatch.setattr(libsvm, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(libsvm, "block_rows", lambda _values: 123)
    data, labels = load_breast_cancer(return_X_y=True) if dense else sparse_data()
    path = tmp_path / "data.svm"
    dump_svmlight_file(data, labels, str(path), zero_based=zero_based, comment="made by a test")
    expected, expected_labels = load_svmlight_file(str(path), zero_based=zero_based)
    rows = frame(tmp_path, path.read_bytes())
    assert np.array_equal(values(rows), expected.toarray())
    assert np.array_equal(rows["label"].astype(float), expected_labels)
    assert rows.columns[1] == ("x0" if zero_based else "x1")
    assert frame(tmp_path, gzip.compress(path.read_bytes())).equals(rows)


def test_comments_blank_lines_white_space_and_labels_alone(tmp_path):
    text = "# head\n\n+1  1:0.5\t3:2 # note 9:9\r\n   \n-1\n1.0 2:-1e-3 3:+4"
    rows = frame(tmp_path, text)
    assert rows["label"].tolist() == ["+1", "-1", "1.0"]
    assert values(rows).tolist() == [[0.5, 0, 2], [0, 0, 0], [0, -0.001, 4]]
    assert frame(tmp_path, text, rows=2).equals(rows[:2])
    assert frame(tmp_path, text, first_index=1, features=5).columns.tolist()[1:6] == ["x1", "x2", "x3", "x4", "x5"]
    assert frame(tmp_path, text, first_index=0).columns.tolist()[1] == "x0"


WRONG = {
    "repeated": ("1 1:1\n1 2:1 2:3\n", "line 2: an index is repeated, or smaller"),
    "out of order": ("1 1:1\n# c\n\n1 3:1 2:3\n", "line 4: an index is repeated, or smaller"),
    "qid": ("1 1:1\n1 qid:3 1:1\n", "line 2: 'qid' groups rows for ranking"),
    "no label": ("1 1:1\n2:1 3:1\n", "line 2: the label is missing"),
    "label is no number": ("1 1:1\ncat 1:1\n", "line 2: the label 'cat' is no number"),
    "several labels": ("1,2 1:1\n", "line 1: the label '1,2' is no number"),
    "no colon": ("1 1:1 7\n", "line 1: an entry has no colon"),
    "two colons": ("1 1:2:3\n", "line 1: an entry has two colons"),
    "no value": ("1 1:1\n1 1: 2:3\n", "line 2: an index or a value is missing"),
    "no index": ("1 :5\n", "line 1: an index or a value is missing"),
    "end of the file": ("1 1:1\n1 2:", "line 2: an index or a value is missing"),
    "value": ("1 1:1\n1 1:a\n", "line 2: the value 'a' is no number"),
    "value with a comma": ("1 1:0,5\n", "line 1: the value '0,5' is no number"),
    "index": ("1 1.5:1\n", "line 1: the index '1.5' is no whole number"),
    "negative": ("1 -3:1\n", "line 1: an index is negative"),
    "digits": ("1 1:9007199254740993\n", "line 1: float64 does not hold all digits"),
    "not ASCII": ("1 1:\xe9\n".encode(), "line 1: the value 'é' is no number"),
    "bytes": (b"1 1:\xff\xfe\n", "line 1: the value"),
    "CSV": ("a,b\n1,2\n", "line 1: the label 'a,b' is no number"),
    "too large": ("1 99999999:1\n", "at most 10,000 features are allowed"),
    "empty": ("", "no line has a feature"),
    "labels alone": ("1\n0\n", "no line has a feature"),
    "truncated gzip": (gzip.compress(b"1 1:1\n" * 999)[:-9], "is a damaged gzip file"),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_what_is_not_of_the_form_is_refused_with_its_line(tmp_path, monkeypatch, content, message):
    for chunk in (7, 4 * 2**20):
        monkeypatch.setattr(libsvm, "CHUNK_BYTES", chunk)
        with pytest.raises(InputError) as error:
            frame(tmp_path, content)
        assert message in str(error.value)


def test_an_index_outside_of_what_the_options_state(tmp_path):
    with pytest.raises(InputError, match="line 2: index 4 is not from 1 to 3"):
        frame(tmp_path, "1 1:1\n0 4:1\n", first_index=1, features=3)
    with pytest.raises(InputError, match="line 1: index 0 is not from 1 to 1"):
        frame(tmp_path, "1 0:1 1:1\n", first_index=1)


def test_a_long_line_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(libsvm, "LONGEST_LINE", 1000)
    monkeypatch.setattr(libsvm, "CHUNK_BYTES", 100)
    with pytest.raises(InputError, match="a line of more than 1,000 bytes"):
        frame(tmp_path, "1 1:1 " + "2" * 2000)


def test_a_study_reads_it(tmp_path):
    data, labels = sparse_data()
    for name, part in {"train": slice(0, 400), "test": slice(400, 500)}.items():
        dump_svmlight_file(np.abs(data[part]) ** 0.01, labels[part] > 0, str(tmp_path / name), zero_based=False)
    names = [f"x{i}" for i in range(1, 41)]
    reader = {"method": "libsvm"}
    about = dataset_recipe(
        reader=reader,
        inputs={"numeric": names},
        target={"column": "label"},
        groups={"first": {"column": "x2", "bins": [0.5]}},
    )
    files = {name: str(tmp_path / name) for name in ("train", "test")}
    paths = (str(tmp_path / "table.parquet"), str(tmp_path / "contents.json"))
    read_step(files, *paths, name="d", recipe=about, given=[])
    rows = read_table(paths[0])
    assert np.array_equal(rows.numeric, (np.abs(data) ** 0.01).astype(np.float32)) and not np.isnan(rows.numeric).any()
    assert rows.classes == ("0", "1") and rows.numeric_names == tuple(names)
    assert read_json(paths[1])


PIECES = (
    *("", " 2:0.5", " 2:-1e-3", " 3:4", " 4:-.5", " 10:7"),
    *(" 2:+4", " 7", " 1:", " :5", " 2:nan", " 2:9007199254740993", " 4:1 # c"),
)
ENDS = ("\n", "\n", "\n", " \n", "  \n", "\r\n", "\n\n", "\t\n")


@pytest.mark.parametrize("chunk", [30, 4 * 2**20])
def test_dense_lines_are_read_as_columns_to_the_same_values_and_sentences(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(libsvm, "CHUNK_BYTES", chunk)
    rng, dense, used = random.Random(0), libsvm._dense, 0

    def result(text):
        try:
            return frame(tmp_path, text).to_csv()
        except InputError as error:
            return str(error)

    for _ in range(200):
        pieces, end = rng.sample(PIECES[: rng.choice([6, 6, 13])], rng.choice([1, 2, 3])), rng.choice(ENDS)
        pieces.sort(key=lambda piece: (len(piece.partition(":")[0]), piece))
        lines = [rng.choice(["1 ", "+1 ", "-1 ", "0.5 "]) + "1:2" + "".join(pieces) for _ in range(5)]
        if rng.random() < 0.3:
            lines[rng.randrange(5)] = rng.choice(
                ["a 1:2", "1 qid:1 1:2", "1 2:1 1:2", "1", "1 1:2 3 4:5", "1 1:2:3", "1 0:1"]
            )
        text = end.join(lines) + rng.choice(["", end])
        monkeypatch.setattr(libsvm, "_dense", lambda *_: None)
        expected = result(text)
        monkeypatch.setattr(libsvm, "_dense", dense)
        assert result(text) == expected, text
        used += (
            dense(text.encode(), 0, "file") is not None if "#" not in text and not expected.startswith("file") else 0
        )
    assert used > 30
