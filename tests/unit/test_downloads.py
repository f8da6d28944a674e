"""MNIST's files wherever people have them, and servers of every kind, played on loopback."""

import gzip
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from vaebook import datasets
from vaebook.__main__ import main
from vaebook.datasets import DatasetUnavailable, downloads

pytestmark = pytest.mark.slow

FILES = [
    f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
]
KINDS = ["MNIST", "FashionMNIST"]
LOADERS = {"MNIST": datasets.mnist, "FashionMNIST": datasets.fashion_mnist}


def idx_files(seed):
    """Return the bytes of four small IDX files by name."""
    rng = np.random.default_rng(seed)
    files = {}
    for name in FILES:
        n = 20 if name.startswith("train") else 6
        if "images" in name:
            header = [0x803, n, 28, 28]
            content = rng.integers(0, 256, n * 784, dtype=np.uint8)
        else:
            header = [0x801, n]
            content = (np.arange(n, dtype=np.uint8) + seed) % 10
        files[name] = np.array(header, dtype=">i4").tobytes() + content.tobytes()
    return files


CONTENTS = {kind: idx_files(seed) for seed, kind in enumerate(KINDS)}
DIGITS = CONTENTS["MNIST"]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Return an empty machine on which the published checksums are those of `CONTENTS`."""
    for variable in ("VAEBOOK_DATA", "VAEBOOK_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    sums = {
        kind: {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
        for kind, files in CONTENTS.items()
    }
    monkeypatch.setattr(downloads, "_MD5", sums)
    return tmp_path


@pytest.fixture
def impatient(monkeypatch):
    """A silence that a busy machine may have too ends a download."""
    monkeypatch.setattr(downloads, "_SILENCE", 0.5)


@pytest.fixture
def mirrors(monkeypatch):
    """Return a function that puts addresses in the place of torchvision's, with our checksums."""
    torchvision = downloads._import_torchvision_datasets()

    def point_to(*addresses):
        for kind, files in CONTENTS.items():
            packed = {f"{name}.gz": gzip.compress(files[name], mtime=0) for name in FILES}
            sums = [(name, hashlib.md5(content).hexdigest()) for name, content in packed.items()]
            monkeypatch.setattr(getattr(torchvision, kind), "mirrors", list(addresses))
            monkeypatch.setattr(getattr(torchvision, kind), "resources", sums)

    return point_to


@pytest.fixture
def offline(mirrors):
    """Point to a port where nobody listens."""
    mirrors("http://127.0.0.1:9/")


class Server:
    """Serves files at `address`, in the manner of `behaviour`, the name of a method below."""

    def __init__(self, files=DIGITS):
        self.behaviour = "works"
        self.asked: list[str] = []
        self.over = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def finish(self):
                try:
                    super().finish()
                except OSError:  # the client hung up
                    self.connection.close()
                    self.rfile.close()

            def do_GET(self):
                name = self.path.rsplit("/", 1)[1]
                server.asked.append(name)
                packed = gzip.compress(files[name.removesuffix(".gz")], mtime=0)
                getattr(server, server.behaviour)(self, packed)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.over.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def works(self, request, packed, length=None):
        request.send_response(200)
        request.send_header("Content-Length", str(len(packed) if length is None else length))
        request.end_headers()
        request.wfile.write(packed)

    def sends_404(self, request, packed):
        request.send_error(404)

    def sends_500(self, request, packed):
        request.send_error(500)

    def hangs(self, request, packed):
        self.over.wait(20)

    def hangs_in_the_middle(self, request, packed):
        self.works(request, packed[: len(packed) // 2], len(packed))
        request.wfile.flush()
        self.over.wait(20)

    def truncates(self, request, packed):
        self.works(request, packed[:-50])

    def closes_early(self, request, packed):
        self.works(request, packed[:-50], len(packed))

    def closes_at_once(self, request, packed):
        pass

    def sends_html(self, request, packed):
        self.works(request, b"<html><body>Please log in to this network.</body></html>")

    def alters(self, request, packed):
        self.works(request, packed[:-20] + bytes([packed[-20] ^ 1]) + packed[-19:])

    def talks_nonsense(self, request, packed):
        request.wfile.write(b"\x00\xff nonsense\r\n\r\n" * 20)

    def redirects_for_ever(self, request, packed):
        request.send_response(302)
        request.send_header("Location", request.path)
        request.end_headers()

    def drips_headers(self, request, packed):
        self._drip(request, b"HTTP/1.0 200 OK\r\nX-Slow: " + 1000 * b"a")

    def drips(self, request, packed):
        request.send_response(200)
        request.send_header("Content-Length", str(len(packed)))
        request.end_headers()
        self._drip(request, packed)

    def _drip(self, request, content):
        for byte in content:
            if self.over.wait(0.05):
                break
            request.wfile.write(bytes([byte]))
            request.wfile.flush()

    def floods(self, request, packed):
        request.send_response(200)
        request.end_headers()
        while not self.over.is_set():
            request.wfile.write(bytes(1 << 16))


@pytest.fixture
def server(mirrors):
    found = Server()
    # A client that hung up is no news.
    found.http.handle_error = lambda *arguments: None
    mirrors(found.address)
    yield found
    found.close()


def place(raw, kind="MNIST", names=FILES, packed=False):
    raw.mkdir(parents=True, exist_ok=True)
    for name in names:
        content = CONTENTS[kind][name]
        if packed:
            (raw / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (raw / name).write_bytes(content)
    return raw


def files_below(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def assert_is(found, part, kind="MNIST"):
    content = np.frombuffer(CONTENTS[kind][f"{part}-images-idx3-ubyte"], np.uint8)[16:]
    expected = torch.tensor(content.reshape(-1, 1, 28, 28) / 255, dtype=torch.float32)
    assert torch.equal(found.images, expected)
    assert found.images.dtype == torch.float32
    assert found.labels.dtype == torch.int64
    assert found.labels.tolist() == list(CONTENTS[kind][f"{part}-labels-idx1-ubyte"][8:])
    assert found.title == {"MNIST": "MNIST", "FashionMNIST": "Fashion-MNIST"}[kind]
    assert len(found.names) == 10


# ---------------------------------------------------------------------------------------------
# Folders as people have them


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_files_in_the_named_folder_are_read_as_they_are(home, monkeypatch, offline, kind, train):
    place(home / "data" / kind / "raw", kind)
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    assert_is(LOADERS[kind](train), "train" if train else "t10k", kind)


def test_files_in_the_cache_are_found_without_the_variable(home, offline):
    place(home / "cache/vaebook/MNIST/raw")
    assert_is(datasets.mnist(), "train")


def test_the_named_folder_comes_before_the_cache(home, monkeypatch, offline):
    raw = place(home / "cache/vaebook/MNIST/raw")
    (raw / FILES[0]).write_bytes(b"not this one")
    place(home / "data/MNIST/raw")
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    assert_is(datasets.mnist(), "train")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("named", ["~/data", "~/data/MNIST", "~/data/MNIST/raw"])
def test_a_tilde_and_the_folder_of_the_set_and_its_raw_folder_are_understood(
    home, monkeypatch, offline, named, packed
):
    place(home / "data/MNIST/raw", packed=packed)
    monkeypatch.setenv("VAEBOOK_DATA", named)
    assert_is(datasets.mnist(), "train")


def test_a_folder_of_nobody_is_a_folder_that_is_not_there(home, monkeypatch, offline):
    monkeypatch.setenv("VAEBOOK_DATA", "~nobody-of-this-name/data")
    with pytest.raises(DatasetUnavailable, match="is not in ~nobody-of-this-name/data nor "):
        datasets.mnist()


def test_loose_files_in_the_named_folder_are_read(home, monkeypatch, offline):
    place(home / "downloads", packed=True)
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "downloads"))
    assert_is(datasets.mnist(train=False), "t10k")


def test_packed_files_beside_unpacked_ones_are_no_trouble(home, monkeypatch, offline):
    raw = place(home / "data/MNIST/raw", names=FILES[:1])
    place(raw, names=FILES, packed=True)
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    assert_is(datasets.mnist(), "train")


@pytest.mark.parametrize("train", [True, False])
def test_only_the_half_that_is_asked_for_is_needed(home, monkeypatch, offline, train):
    half = "train" if train else "t10k"
    place(home / "data/MNIST/raw", names=[name for name in FILES if name.startswith(half)])
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    assert_is(datasets.mnist(train), half)
    with pytest.raises(DatasetUnavailable):
        datasets.mnist(not train)


def test_a_folder_that_holds_a_part_does_not_hide_a_complete_cache(home, monkeypatch, offline):
    place(home / "data/MNIST/raw", names=FILES[1:2])
    place(home / "cache/vaebook/MNIST/raw")
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    assert_is(datasets.mnist(), "train")


def test_files_of_the_other_set_with_the_same_names_are_passed_over(home, monkeypatch, offline):
    raw = place(home / "data/MNIST/raw")
    place(home / "cache/vaebook/FashionMNIST/raw", "FashionMNIST")
    monkeypatch.setenv("VAEBOOK_DATA", str(raw))
    assert_is(datasets.mnist(), "train")
    assert_is(datasets.fashion_mnist(), "train", "FashionMNIST")


@pytest.mark.parametrize("bad", [1, None, "train"])
def test_a_half_that_is_none_is_refused(bad):
    for load in (datasets.mnist, datasets.fashion_mnist, datasets.handwritten):
        with pytest.raises(ValueError, match=f"train must be True or False, got {bad!r}"):
            load(bad)


# ---------------------------------------------------------------------------------------------
# Folders that are not as they should be


@pytest.mark.parametrize("variable", [True, False])
def test_what_cannot_be_had_is_said_with_the_places_and_both_remedies(
    home, monkeypatch, offline, variable
):
    if variable:
        monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    for _ in range(2):  # the second call finds what the failed download left
        with pytest.raises(DatasetUnavailable) as caught:
            datasets.fashion_mnist()
        message = str(caught.value)
        assert message.startswith("Fashion-MNIST (train-images-idx3-ubyte, train-labels-idx1-")
        assert str(home / "cache/vaebook") in message
        assert (str(home / "data") in message) == variable
        assert "http://127.0.0.1:9/train-images-idx3-ubyte.gz: " in message
        assert "connect to the internet" in message
        assert "set VAEBOOK_DATA to a folder that holds FashionMNIST/raw" in message


@pytest.mark.parametrize("missing", FILES)
def test_a_missing_file_beside_its_siblings_is_named(home, monkeypatch, offline, missing):
    place(home / "data/MNIST/raw", names=[name for name in FILES if name != missing])
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    with pytest.raises(DatasetUnavailable) as caught:
        datasets.mnist(train=missing.startswith("train"))
    assert f"MNIST ({missing}) is not in {home / 'data'}" in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "altered", "empty", "html"])
@pytest.mark.parametrize("name", FILES[:2])
@pytest.mark.parametrize("packed", [True, False])
def test_a_damaged_file_is_named_with_the_remedy(home, monkeypatch, offline, name, damage, packed):
    raw = place(home / "data/MNIST/raw", packed=packed)
    path = raw / (f"{name}.gz" if packed else name)
    good = path.read_bytes()
    middle = len(good) // 2
    bad = {
        "truncated": good[:-9],
        "altered": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
        "empty": b"",
        "html": b"<html><body>404 Not Found</body></html>",
    }[damage]
    path.write_bytes(bad)
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    with pytest.raises(ValueError, match=r"is truncated or altered: .*Delete it") as caught:
        datasets.mnist()
    assert str(caught.value).startswith(f"{path} is truncated")
    if not packed:
        for content in (good, bad):
            assert hashlib.md5(content).hexdigest() in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_folder_that_may_not_be_read_is_named(home, monkeypatch, offline):
    raw = place(home / "data/MNIST/raw")
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    raw.chmod(0)
    root = os.geteuid() == 0
    if root:  # whom permissions don't stop
        os.seteuid(65534)
    try:
        with pytest.raises(DatasetUnavailable, match=r"can't be read: Permission denied") as found:
            datasets.mnist()
    finally:
        if root:
            os.seteuid(0)
        raw.chmod(0o700)
    assert str(home / "data") in str(found.value)


def test_what_is_no_file_under_the_name_of_one_is_named(home, monkeypatch, offline):
    raw = place(home / "data/MNIST/raw", names=FILES[1:])
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    (raw / FILES[0]).mkdir()
    with pytest.raises(DatasetUnavailable, match=f"{FILES[0]} can't be read: Is a directory"):
        datasets.mnist()


# ---------------------------------------------------------------------------------------------
# Servers


def test_what_is_nowhere_is_downloaded_into_the_cache_once(home, server):
    assert_is(datasets.mnist(), "train")
    raw = home / "cache/vaebook/MNIST/raw"
    assert files_below(home) == sorted(FILES[:2])
    assert (raw / FILES[0]).read_bytes() == DIGITS[FILES[0]]
    assert server.asked == [f"{name}.gz" for name in FILES[:2]]
    assert_is(datasets.mnist(), "train")
    assert len(server.asked) == 2
    assert_is(datasets.mnist(train=False), "t10k")
    assert server.asked[2:] == [f"{name}.gz" for name in FILES[2:]]


def test_only_what_is_missing_is_downloaded(home, server, monkeypatch):
    place(home / "data/MNIST/raw", names=FILES[:1])
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    assert_is(datasets.mnist(), "train")
    assert server.asked == [f"{FILES[1]}.gz"]


BROKEN = {
    "sends_404": "HTTP Error 404",
    "sends_500": "HTTP Error 500",
    "hangs": "silent for 0.5 s|timed out",
    "hangs_in_the_middle": "silent for 0.5 s|timed out",
    "truncates": r"\d+ bytes of MD5 \w+ instead of \w+",
    "closes_early": r"\d+ bytes of MD5 \w+ instead of \w+",
    "closes_at_once": "closed connection|reset",
    "sends_html": r"56 bytes of MD5 \w+ instead of \w+",
    "alters": r"\d+ bytes of MD5 \w+ instead of \w+",
    "talks_nonsense": "nonsense|reset",
    "redirects_for_ever": "HTTP Error 302",
    "floods": "sent more than 1000000 bytes",
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("behaviour", BROKEN)
def test_a_server_that_fails_is_named_in_seconds_and_leaves_nothing(
    home, server, monkeypatch, behaviour
):
    monkeypatch.setattr(downloads, "_LARGEST", 1_000_000)
    server.behaviour = behaviour
    start = time.monotonic()
    with pytest.raises(DatasetUnavailable, match=BROKEN[behaviour]) as caught:
        datasets.mnist()
    assert time.monotonic() - start < 8
    assert f"{server.address}{FILES[0]}.gz: " in str(caught.value)
    assert "connect to the internet and call again" in str(caught.value)
    assert files_below(home) == []
    server.behaviour = "works"
    assert_is(datasets.mnist(), "train")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("behaviour", "message"),
    [("drips", r"not done in time, \d+ bytes had come"), ("drips_headers", "silent for 0.5 s")],
)
def test_a_dripping_server_is_given_up_in_time(home, server, behaviour, message):
    server.behaviour = behaviour
    start = time.monotonic()
    with pytest.raises(DatasetUnavailable, match=message):
        downloads.fetch("MNIST", seconds=1.0)
    assert time.monotonic() - start < 8
    assert files_below(home) == []


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("behaviour", ["sends_404", "hangs", "sends_html", "closes_early"])
def test_the_next_mirror_is_asked_where_the_first_fails(server, mirrors, behaviour):
    server.behaviour = behaviour
    second = Server()
    try:
        mirrors("http://127.0.0.1:9/", server.address, second.address)
        assert_is(datasets.mnist(), "train")
    finally:
        second.close()


def test_what_came_whole_before_an_interruption_is_not_fetched_again(home, server):
    works = server.works
    server.works = lambda *a: works(*a) if len(server.asked) == 1 else server.sends_500(*a)
    with pytest.raises(DatasetUnavailable, match="HTTP Error 500"):
        datasets.mnist()
    assert files_below(home) == FILES[:1]
    server.works = works
    assert_is(datasets.mnist(), "train")
    assert server.asked == [f"{FILES[i]}.gz" for i in (0, 1, 1)]


def test_several_downloads_at_once_do_each_other_no_harm(home, server):
    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(lambda _: datasets.mnist(), range(6)):
            assert_is(found, "train")
    assert files_below(home) == sorted(FILES[:2])


@pytest.mark.parametrize("step", ["write_bytes", "mkdir"])
def test_a_cache_that_cannot_be_written_leaves_nothing_broken(home, server, monkeypatch, step):
    def fail(path, *arguments, **options):
        if step == "write_bytes":
            path.touch()
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, step, fail)
        with pytest.raises(DatasetUnavailable, match="No space left on device"):
            datasets.mnist()
    assert files_below(home) == []
    assert_is(datasets.mnist(), "train")


def test_nobody_is_asked_where_the_variable_says_offline(server, monkeypatch):
    monkeypatch.setenv("VAEBOOK_OFFLINE", "1")
    with pytest.raises(DatasetUnavailable, match="VAEBOOK_OFFLINE is set"):
        datasets.mnist()
    assert server.asked == []
    for value, half in (("0", "train"), ("", "t10k")):
        monkeypatch.setenv("VAEBOOK_OFFLINE", value)
        assert_is(datasets.mnist(half == "train"), half)


# ---------------------------------------------------------------------------------------------
# Both halves, by hand and from the command line


def test_both_halves_of_a_set_come_in_the_layout_of_torchvision(home, server):
    raw = home / "cache/vaebook/MNIST/raw"
    assert datasets.fetch("MNIST", progress=False) == [raw / name for name in FILES]
    assert server.asked == [f"{name}.gz" for name in FILES]
    assert datasets.fetch("MNIST") == [raw / name for name in FILES]
    assert len(server.asked) == 4
    torchvision = downloads._import_torchvision_datasets()
    for train in (True, False):
        theirs = torchvision.MNIST(raw.parents[1], train=train, download=False)
        ours = datasets.mnist(train)
        assert torch.equal(theirs.data[:, None] / 255, ours.images)
        assert torch.equal(theirs.targets, ours.labels)


def test_what_the_named_folder_has_is_used_and_only_the_rest_fetched(home, server, monkeypatch):
    place(home / "data/MNIST/raw", names=FILES[:3], packed=True)
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    found = datasets.fetch("MNIST")
    assert found[:3] == [home / f"data/MNIST/raw/{name}.gz" for name in FILES[:3]]
    assert found[3] == home / "cache/vaebook/MNIST/raw" / FILES[3]
    assert server.asked == [f"{FILES[3]}.gz"]


def test_only_looking_asks_nobody_and_names_what_is_missing(home, server):
    place(home / "cache/vaebook/MNIST/raw", names=FILES[:1])
    with pytest.raises(DatasetUnavailable, match="offline was asked for") as caught:
        datasets.fetch("MNIST", offline=True)
    assert str(caught.value).startswith(f"MNIST ({', '.join(FILES[1:])}) is not in {home}")
    assert server.asked == []
    place(home / "cache/vaebook/MNIST/raw")
    assert len(datasets.fetch("MNIST", offline=True)) == 4


def test_what_has_come_before_a_failure_is_not_called_missing(home, server):
    works = server.works
    server.works = lambda *a: works(*a) if len(server.asked) < 3 else server.sends_404(*a)
    with pytest.raises(DatasetUnavailable, match="404") as caught:
        datasets.fetch("MNIST")
    assert str(caught.value).startswith(f"MNIST ({FILES[2]}, {FILES[3]}) is not in")
    assert files_below(home) == sorted(FILES[:2])
    server.works = works
    datasets.fetch("MNIST")
    assert server.asked == [f"{FILES[i]}.gz" for i in (0, 1, 2, 2, 3)]


@pytest.mark.parametrize("title", ["FashionMNIST", "mnist", "", None, ["MNIST"]])
def test_a_title_that_is_none_is_refused(title):
    with pytest.raises(ValueError, match=r"title must be one of .*'MNIST', 'Fashion-MNIST'"):
        datasets.fetch(title)


@pytest.fixture
def both_sets(server, mirrors):
    """A second server, with the clothes: files of the two sets have the same names."""
    other = Server(CONTENTS["FashionMNIST"])
    torchvision = downloads._import_torchvision_datasets()
    torchvision.FashionMNIST.mirrors[:] = [other.address]
    yield server, other
    other.close()


def test_the_command_fetches_both_sets_once_and_says_where_they_are(home, both_sets, capsys):
    cache = home / "cache/vaebook"
    expected = f"MNIST: {cache}/MNIST/raw\nFashion-MNIST: {cache}/FashionMNIST/raw\n"
    for _ in range(2):
        assert main(["data", "--required"]) == 0
        assert capsys.readouterr().out == expected
        assert [len(server.asked) for server in both_sets] == [4, 4]
    assert main(["data", "--offline", "--required"]) == 0
    assert_is(datasets.fashion_mnist(), "train", "FashionMNIST")


@pytest.mark.parametrize("options", [[], ["--required"], ["--offline"]])
def test_the_command_goes_on_without_what_is_missing_unless_it_is_required(
    home, both_sets, capsys, options
):
    for server in both_sets:
        server.behaviour = "sends_404"
    place(home / "cache/vaebook/MNIST/raw")
    assert main(["data", *options]) == (2 if options == ["--required"] else 0)
    printed = capsys.readouterr()
    raw = home / "cache/vaebook/MNIST/raw"
    assert printed.out == f"MNIST: {raw}\nFashion-MNIST: missing\n"
    (line,) = [line for line in printed.err.splitlines() if "vaebook: " in line]
    assert "vaebook: Fashion-MNIST (" in line
    assert "set VAEBOOK_DATA to a folder" in line
    assert bool(both_sets[1].asked) == (options != ["--offline"])


@pytest.mark.usefixtures("impatient")
def test_the_command_gives_up_servers_that_hang_after_one_file_of_each_set(both_sets, capsys):
    for server in both_sets:
        server.behaviour = "hangs"
    start = time.monotonic()
    assert main(["data"]) == 0
    # One address each here, two and one as published: with 10 s of silence half a minute.
    assert time.monotonic() - start < 4
    assert capsys.readouterr().out == "MNIST: missing\nFashion-MNIST: missing\n"
    assert [server.asked for server in both_sets] == [[f"{FILES[0]}.gz"]] * 2


def test_the_command_names_a_damaged_file_and_the_remedy(home, server, capsys):
    raw = place(home / "cache/vaebook/MNIST/raw")
    (raw / FILES[1]).write_bytes(b"damaged")
    assert main(["data"]) == 2
    assert f"vaebook: {raw / FILES[1]} is truncated or altered" in capsys.readouterr().err
    (raw / FILES[1]).unlink()
    assert datasets.fetch("MNIST")
    assert server.asked == [f"{FILES[1]}.gz"]


COMMAND = """
import sys
from vaebook.__main__ import main
from vaebook.datasets import downloads
torchvision = downloads._import_torchvision_datasets()
downloads._MD5 = {sums!r}
for kind, resources in {resources!r}.items():
    getattr(torchvision, kind).mirrors = {mirrors!r}[kind]
    getattr(torchvision, kind).resources = resources
sys.exit(main(["data", "--required"]))
"""


@pytest.fixture
def command(both_sets):
    """Return a function that starts the command in a process of its own."""
    torchvision = downloads._import_torchvision_datasets()
    kinds = {kind: getattr(torchvision, kind) for kind in KINDS}
    script = COMMAND.format(
        sums=downloads._MD5,
        resources={kind: found.resources for kind, found in kinds.items()},
        mirrors={kind: found.mirrors for kind, found in kinds.items()},
    )
    environment = {k: v for k, v in os.environ.items() if k != "TQDM_DISABLE"}

    def start():
        return subprocess.Popen(
            [sys.executable, "-c", script],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.mark.weekly
def test_two_commands_at_once_do_each_other_no_harm_and_show_a_bar(home, command):
    processes = [command(), command()]
    errors = ""
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out.count("cache/vaebook") == 2
        errors += err
    assert re.search(rf"{FILES[0]}.gz: .*\d/\d", errors), "a bar that knows its end"
    assert files_below(home) == sorted(2 * FILES)
    assert_is(datasets.mnist(), "train")


def test_ctrl_c_keeps_what_is_whole_and_the_next_command_goes_on(home, command, both_sets):
    works = both_sets[0].works
    slow = threading.Event()

    def stop_at_the_second(request, packed):
        if len(both_sets[0].asked) == 2:
            slow.set()
            both_sets[0].hangs_in_the_middle(request, packed)
        else:
            works(request, packed)

    both_sets[0].stops = stop_at_the_second
    both_sets[0].behaviour = "stops"
    process = command()
    assert slow.wait(60)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "vaebook: interrupted; the same command goes on from there"
    assert "Traceback" not in errors
    assert files_below(home) == FILES[:1]
    both_sets[0].behaviour = "works"
    process = command()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert both_sets[0].asked == [f"{FILES[i]}.gz" for i in (0, 1, 1, 2, 3)]


# ---------------------------------------------------------------------------------------------
# The one place that chooses


@pytest.mark.parametrize("train", [True, False])
def test_handwritten_digits_are_those_of_mnist_wherever_it_lies(home, monkeypatch, server, train):
    half = "train" if train else "t10k"
    assert_is(datasets.handwritten(train), half)
    assert len(server.asked) == 2
    assert_is(datasets.handwritten(train), half)  # from the cache
    place(home / "data/MNIST/raw")
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    assert_is(datasets.handwritten(train), half)
    assert len(server.asked) == 2


def test_where_mnist_cannot_be_had_other_digits_stand_in_and_say_so(offline):
    test, train = datasets.handwritten(), datasets.handwritten(train=True)
    assert (len(train), len(test)) == (1438, 359)
    for part in (train, test):
        assert part.title == "UCI digits"
        assert part.images.shape[1:] == (1, 28, 28)
    larger, smaller = datasets.digits().split(0.8, seed=0)
    assert torch.equal(train.images, larger.images)
    assert torch.equal(test.images, smaller.images)


def test_a_damaged_file_is_not_passed_over_for_the_stand_in(home, monkeypatch, offline):
    raw = place(home / "data/MNIST/raw")
    (raw / FILES[2]).write_bytes(b"damaged")
    monkeypatch.setenv("VAEBOOK_DATA", str(home / "data"))
    with pytest.raises(ValueError, match="truncated or altered"):
        datasets.handwritten()


# ---------------------------------------------------------------------------------------------
# torchvision, and the real sets


def test_torchvision_is_imported_only_when_asked_for_and_then_works():
    script = """
import sys
import vaebook.datasets
from vaebook.datasets import downloads
assert "torchvision" not in sys.modules
module = downloads._import_torchvision_datasets()
assert module is downloads._import_torchvision_datasets()
print(module.MNIST.__name__)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "MNIST\n"


def test_a_torchvision_that_cannot_be_imported_makes_the_set_unavailable(monkeypatch):
    def fail():
        raise ImportError("no torchvision")

    monkeypatch.setattr(downloads, "_import_torchvision_datasets", fail)
    with pytest.raises(DatasetUnavailable, match="its download failed: no torchvision"):
        datasets.mnist()


@pytest.fixture
def real(monkeypatch):
    """Undo what `home` pretends, where the real sets are."""
    monkeypatch.undo()
    if not os.environ.get("VAEBOOK_DATA"):
        pytest.skip("VAEBOOK_DATA names no folder with MNIST")


@pytest.mark.parametrize(
    ("kind", "mean", "deviation"), [("MNIST", 0.1307, 0.3081), ("FashionMNIST", 0.2860, 0.3530)]
)
def test_the_real_sets_have_their_published_size_mean_and_deviation(real, kind, mean, deviation):
    train, test = LOADERS[kind](), LOADERS[kind](train=False)
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.images.mean().item() == pytest.approx(mean, abs=5e-5)
    assert train.images.std().item() == pytest.approx(deviation, abs=5e-5)
    assert len(train.names) == 10 == len(torch.bincount(train.labels))


def test_the_real_digits_come_as_often_as_published(real):
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert torch.bincount(datasets.mnist().labels).tolist() == counts


def test_the_checksums_are_of_the_files_that_torchvision_publishes(monkeypatch):
    monkeypatch.undo()
    # The packed sums are torchvision's; ours are of the unpacked files, checked where they lie.
    torchvision = downloads._import_torchvision_datasets()
    for kind, sums in downloads._MD5.items():
        packed = [name for name, _ in getattr(torchvision, kind).resources]
        assert sorted(f"{name}.gz" for name in sums) == sorted(packed)
        for name, expected in sums.items():
            assert len(bytes.fromhex(expected)) == 16
            if os.environ.get("VAEBOOK_DATA"):
                path = Path(os.environ["VAEBOOK_DATA"]).expanduser() / kind / "raw" / name
                assert hashlib.md5(path.read_bytes()).hexdigest() == expected
