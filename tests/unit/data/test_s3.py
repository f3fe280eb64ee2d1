"""Files and folders of an S3 store, which moto serves on the loopback interface."""

import gzip
import hashlib
import subprocess
from pathlib import Path
from urllib.parse import quote, unquote

import pandas as pd
import pytest
import requests
from dataset_recipes import dataset

from fairweight.core.errors import InputError
from fairweight.data import fetch as fetch_module
from fairweight.data.fetch import fetch
from fairweight.data.parts import parts
from fairweight.data.sources import s3
from fairweight.study.check_datasets import check_dataset

ROOT = Path(__file__).parents[3]
STORE = ROOT / ".venv-s3" / "bin" / "python"
pytestmark = pytest.mark.skipif(not STORE.exists(), reason="`make s3-store` has not run")
SERVE = """
import sys, time
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()  # until the test closes it
"""

DATA = pd.DataFrame({"x": range(6), "y": list("ababab")}).to_csv(index=False).encode()
SHA = hashlib.sha256(DATA).hexdigest()
KEYS = {
    "people.csv": DATA,
    "table/part-00001.csv": DATA,
    "table/part-00000.csv.gz": gzip.compress(DATA),
    "table/_SUCCESS": b"",
    "table/_temporary/0/part-00002.csv": b"half",
    "table/.part-00001.csv.crc": b"crc",
    "table/part-00003.csv": b"",
    "hive/sex=f/part-0.csv": DATA,
    "hive/sex=m%2Fd/part-0.csv": DATA,
    "delta/_delta_log/0.json": b"{}",
    "delta/part-0.parquet": b"PAR1",
    "iceberg/metadata/v1.metadata.json": b"{}",
    "iceberg/data/part-0.parquet": b"PAR1",
    "nothing/_SUCCESS": b"",
}


@pytest.fixture(scope="module")
def server():
    public = {"x-amz-acl": "public-read"}
    command = [STORE, "-c", SERVE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        host, port = run.stdout.readline().split()
        address = f"http://{host}:{port}"
        objects = {"data": None, "public": public} | {f"data/{quote(key)}": None for key in KEYS}
        for path, headers in objects.items():
            content = KEYS.get(unquote(path.removeprefix("data/")), b"")
            requests.put(f"{address}/{path}", content, headers=headers, timeout=20).raise_for_status()
        packed = gzip.compress(DATA)
        requests.put(f"{address}/public/people.csv.gz", packed, headers=public, timeout=20).raise_for_status()
        yield address
        run.stdin.close()


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch, server):
    monkeypatch.setenv("FAIRWEIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch_module, "BACK_OFF_S", 0.01)
    for name, value in (
        ("ACCESS_KEY_ID", "k"),
        ("SECRET_ACCESS_KEY", "s"),
        ("ENDPOINT_URL", server),
        ("REGION", "us-east-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)


def get(tmp_path, source, sha256=SHA):
    destination = tmp_path / "raw"
    fetch(str(destination), sources=[source], sha256=sha256, cache=None, name="datasets: d: files: f")
    return destination


def test_a_file_is_fetched_with_the_settings_of_the_machine_or_of_the_source(tmp_path, monkeypatch, server):
    assert get(tmp_path, "s3://data/people.csv").read_bytes() == DATA
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION"):
        monkeypatch.delenv(f"AWS_{name}")
    settings = f"?endpoint={server}&region=us-east-1&anonymous=true"
    (tmp_path / "cache" / "sha256" / SHA).write_bytes(b"half")  # a damaged cache is fetched again
    assert get(tmp_path, f"s3://public/people.csv.gz{settings}").read_bytes() == DATA
    (tmp_path / "cache" / "sha256" / SHA).unlink()
    with pytest.raises(InputError, match="access to the bucket 'data' is denied"):
        s3.fetch(f"//data/people.csv{settings}", tmp_path, tmp_path)


def test_a_folder_of_parts_is_that_of_a_local_folder(tmp_path):
    packed = s3.fetch("//data/table/", tmp_path, tmp_path)
    assert [part.name for part in parts(packed, "f")] == ["f/part-00000.csv.gz", "f/part-00001.csv"]
    again = hashlib.sha256(packed.read_bytes()).hexdigest()
    assert get(tmp_path, "s3://data/table", sha256=again).read_bytes() == packed.read_bytes()
    (tmp_path / "other").mkdir()
    hive = s3.fetch("//data/hive", tmp_path / "other", tmp_path)
    assert [part.partition for part in parts(hive, "f")] == [{"sex": "f"}, {"sex": "m/d"}]


REFUSED = {
    "no bucket": ("s3://dato/people.csv", "there is no bucket 'dato' at this store; check name, region and endpoint"),
    "no key": ("s3://data/peple.csv", "the bucket 'data' has no key 'peple.csv'"),
    "no folder": ("s3://data/tabel/", "the bucket 'data' has no key 'tabel'"),
    "a bucket alone": ("s3://data", "is not of the form s3://BUCKET/KEY"),
    "credentials": ("s3://key:secret@data/people.csv", "credentials stand in the environment"),
    "a setting": ("s3://data/people.csv?regoin=eu", "no setting 'regoin' of s3 (did you mean 'region'?)"),
    "a Boolean": ("s3://data/people.csv?anonymous=yes", "anonymous=yes is neither true nor false"),
    "an endpoint": ("s3://data/people.csv?endpoint=ftp://x", "the endpoint 'ftp://x' is not of the form"),
    "Delta": ("s3://data/delta", "is a Delta table ('_delta_log')"),
    "Iceberg": ("s3://data/iceberg", "is an Iceberg table ('metadata')"),
    "no parts": ("s3://data/nothing", "holds no parts of a table"),
    "a checksum": ("s3://data/people.csv#x", "neither a zip nor a tar archive"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_fetched_is_one_sentence(tmp_path, kind):
    source, sentence = REFUSED[kind]
    with pytest.raises(InputError) as caught:
        s3.fetch(source.removeprefix("s3:"), tmp_path, tmp_path)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"could not be fetched from any of its sources: s3:"):
        get(tmp_path, source)
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            "When getting information: AWS Error ACCESS_DENIED during HeadObject operation",
            "access to the bucket 'data' is denied; set AWS_",
        ),
        (
            "AWS Error UNKNOWN (HTTP status 301) during HeadObject operation",
            "the bucket 'data' is in another region; set '.region=",
        ),
    ],
)
def test_what_the_store_refuses_is_a_sentence_with_the_remedy(message, sentence):
    with pytest.raises(InputError, match=sentence), s3._explained("data"):
        raise OSError(message)


def test_a_store_that_is_away_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(s3, "ATTEMPTS", 1)
    monkeypatch.setattr(s3, "CONNECT_S", 1)
    with pytest.raises(
        InputError, match=r"could not be fetched from any of its sources: s3:.*the store does not answer"
    ):
        get(tmp_path, "s3://data/people.csv?endpoint=http://127.0.0.1:1")


def test_a_study_needs_the_checksum(tmp_path):
    recipe = dataset(files={"all": {"sources": ["s3://data/people.csv"], "sha256": None}})
    with pytest.raises(InputError, match="'sha256' is missing"):
        check_dataset("d", recipe)
