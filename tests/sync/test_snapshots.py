"""A bucket as a file: landed encrypted, gone on with at any byte, believed when it is whole."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.cache_folder import CacheFolder
from kiosk.errors import CentralFault, KioskError
from kiosk.feed_rows import COLUMNS
from sync import client as client_module
from sync import landing as landing_module
from sync import snapshot_format, transport
from sync.central import changes, ranges, snapshots
from sync.central import feed as feeds
from sync.central.state import Central
from sync.client import CentralClient
from sync.feed import load_changes
from sync.landing import Landing
from sync.snapshot_format import Manifest, open_manifest
from sync.snapshots import SnapshotLoader
from sync.wire import ChangesAnswer
from tests.sync.central_side import Clock
from tests.sync.served_central import CutLine, KioskClock, Served, SlowLine, served
from tests.sync.test_feed_apply import content, sums_hold

KEY = b"c" * 32
HOLDERS = 300
PIECE = 9_000
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A central with a bucket that is large, as large goes in these tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(changes, "SNAPSHOT_ROWS", 500)
        patched.setattr(snapshots, "BEHIND_ROWS", 100)
        for module in (client_module, ranges, snapshot_format):
            patched.setattr(module, "PIECE_BYTES", PIECE)
        patched.setattr(landing_module, "CHUNK_BYTES", 3_000)
        with served(tmp_path_factory.mktemp("town") / "central", Clock()) as made:
            made.fill(100, HOLDERS)
            yield made


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[CacheFolder]:
    """An empty data folder."""
    made = CacheFolder(tmp_path, KEY)
    yield made
    made.close()


def synced_at() -> str:
    return "2026-11-24T02:00:00+00:00"


class Loads:
    """One kiosk's loads, and what they reported."""

    def __init__(self, town: Served, folder: CacheFolder, client: CentralClient | None = None) -> None:
        self.town, self.folder = town, folder
        self.client = client or town.client()
        self.loader = SnapshotLoader(self.client, town.key_for, KioskClock(town.clock), pause=self.pause)
        self.reports: list[CentralFault] = []
        self.cursors: list[str] = []
        self.pauses = 0

    def pause(self, _: float) -> None:
        self.pauses += 1

    def load(self) -> int:
        """One load."""

        def fetch(cursor: str) -> ChangesAnswer:
            self.cursors.append(cursor)
            return self.client.changes(cursor)

        return load_changes(self.folder, fetch, synced_at, snapshots=self.loader, report=self.reports.append)

    def codes(self) -> list[str]:
        """Codes of what was reported."""
        return [fault.code for fault in self.reports]


def by_pages(town: Served, folder: CacheFolder) -> dict[str, list[tuple[object, ...]]]:
    """What a cache holds that was loaded by pages alone."""
    home = folder.home / "pages"
    home.mkdir()
    plain = CacheFolder(home, KEY)
    load_changes(plain, town.client().changes, synced_at)
    found = content(plain.current())
    plain.close()
    return found


def test_a_first_load_takes_the_large_bucket_as_a_file(town: Served, folder: CacheFolder) -> None:
    loads = Loads(town, folder)
    assert loads.load() >= 2 * HOLDERS
    cache = folder.current()
    assert content(cache) == by_pages(town, folder)
    assert (sums_hold(cache), loads.codes(), folder.progress()) == (True, [], None)
    assert len(loads.cursors) == 2  # what there is; and, behind the file, all the rest at once
    assert not list(folder.home.glob("snapshot.*"))


def test_the_feed_goes_on_behind_a_snapshot(town: Served, folder: CacheFolder) -> None:
    loads = Loads(town, folder)
    loads.load()
    town.fill(100, 3, name="NAMA BARU")
    town.drop(105)
    try:
        loads.load()
        cache = folder.current()
        assert (folder.current_number(), sums_hold(cache)) == (1, True)
        renamed = cache.rows("SELECT id FROM holder WHERE name LIKE 'NAMA BARU%'")
        assert [row[0] for row in renamed] == [100, 101, 102]
        # A new kiosk gets the file of before, and what came since.
        again = CacheFolder(folder.home / "again", KEY)
        again.home.mkdir()
        Loads(town, again).load()
        assert content(again.current()) == content(cache)
        again.close()
    finally:
        town.fill(100, 6)


def test_what_lands_is_unreadable_and_gone_in_the_end(
    town: Served, folder: CacheFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = bytearray()
    seal = Landing._seal

    def sealing(self: Landing, chunk: bytes) -> None:
        seal(self, chunk)
        seen.extend(self.path.read_bytes())
        for path in folder.home.rglob("*"):
            if path.is_file():
                seen.extend(path.read_bytes())

    monkeypatch.setattr(Landing, "_seal", sealing)
    Loads(town, folder).load()
    assert len(seen) > 20_000
    for told in (b"WARGA", b"holder", b"SQLite format", b"\x28\xb5\x2f\xfd"):
        assert told not in bytes(seen)


@pytest.mark.parametrize("after", [700, 2_000, 2_999, 6_000, 9_876, 25_000])
def test_a_line_that_is_cut_again_and_again_costs_little(
    town: Served, folder: CacheFolder, after: int
) -> None:
    line = CutLine(town.url)
    line.after = after
    loads = Loads(town, folder, town.client(url=line.url))
    size = open_manifest(town.client().manifest("p1"), town.key_for).packed_bytes
    landed = 0
    tries = 0
    with pytest.MonkeyPatch.context() as patched:
        # Answers that are not cut: only the file's pieces go through the line.
        patched.setattr(loads.client, "manifest", town.client().manifest)
        patched.setattr(loads.client, "changes", town.client().changes)
        while True:
            tries += 1
            try:
                loads.load()
                break
            except CentralFault as fault:
                if fault.code not in ("answer_cut", "central_unreachable"):
                    raise
            part = folder.home / "snapshot.p1.part"
            now = part.stat().st_size if part.exists() else 0
            assert now > landed or after < 800
            landed = max(landed, now)
            if after < 800:
                line.after = None  # not even the headers come through
    line.close()
    assert sums_hold(folder.current())
    assert folder.current().count("holder") == HOLDERS + 2
    if line.after is not None and after < PIECE:
        assert tries > size // after / 2
        # Headers and what was under way when it was cut come again, nothing else.
        assert line.passed < size + tries * 1_400


def _is_larger(path: Path, least: int) -> bool:
    return path.exists() and path.stat().st_size > least


def wait_until(condition: Callable[[], bool]) -> None:
    """Looks again and again until a condition holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_killed_while_it_loads_goes_on_where_it_was(town: Served, folder: CacheFolder) -> None:
    """kill -9, each time after a little more of the file has come through a line that then stands still."""
    client = town.client()
    said = open_manifest(client.manifest("p1"), town.key_for)
    raw = serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    line = SlowLine(town.url)
    command = [sys.executable, "-m", "tests.sync.snapshot_process", str(folder.home), KEY.hex(), line.url]
    command += ["AAA1", str(town.gens["AAA1"]), town.keys["AAA1"].private_bytes(*raw).hex()]
    command += [town.central.keys.central.public.hex(), str(town.clock())]
    part = folder.home / "snapshot.p1.part"
    landed = 0
    for share in (0.25, 0.7):
        line.until = line.passed + int(said.packed_bytes * share) - landed + 6_000
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            line.wait_until_it_stands_still()
            wait_until(partial(_is_larger, part, landed))
            process.kill()
        assert folder.current_number() is None
        landed = part.stat().st_size
        line.let_go()
    before, line.until = line.passed, None
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "loaded\n", done.stderr
    assert line.passed - before < said.packed_bytes * 0.6 + 10_000
    assert sums_hold(folder.current())
    assert folder.current().count("holder") == HOLDERS + 2
    assert not part.exists()
    line.close()


def _damaged_by_stranger(town: Served, data: bytes) -> bytes:
    """The same words under another key, which claims central's key id."""
    said = open_manifest(data, town.key_for)
    return snapshot_format.make(said, Ed25519PrivateKey.generate(), town.central.keys.central.kid)


def damaged(data: bytes, key: Ed25519PrivateKey, kid: bytes, **changes: object) -> bytes:
    """A manifest like another one, signed."""
    said = open_manifest(data, lambda _: key.public_key())
    return snapshot_format.make(dataclasses.replace(said, **changes), key, kid)  # type: ignore[arg-type]


FALSE: dict[str, tuple[str, Callable[[Served, bytes], bytes]]] = {
    "cut short": ("manifest_refused", lambda town, data: data[:-1]),
    "empty": ("manifest_refused", lambda town, data: b""),
    "another key": ("manifest_refused", _damaged_by_stranger),
    "a value that is none": ("manifest_refused", lambda town, data: changed(town, data, sha256=b"x")),
    "another bucket": ("manifest_other_bucket", lambda town, data: changed(town, data, bucket="p2")),
    "from the future": ("manifest_future", lambda town, data: changed(town, data, issued=2**40)),
    "other bytes": ("snapshot_damaged", lambda town, data: changed(town, data, sha256=b"x" * 32)),
    "more when inflated": ("snapshot_damaged", lambda town, data: changed(town, data, plain_bytes=4096)),
    "less when inflated": ("snapshot_damaged", lambda town, data: changed(town, data, plain_bytes=2**30)),
    "a gen that is gone": ("snapshot_gone", lambda town, data: changed(town, data, gen=1)),
}


def changed(town: Served, data: bytes, **changes: object) -> bytes:
    """Signed by central, and wrong."""
    key = town.central.keys.central
    return damaged(data, key.private, key.kid, **changes)


@pytest.mark.parametrize("name", FALSE)
def test_a_snapshot_that_cannot_be_believed_is_reported_once_and_holds_up_nothing(
    town: Served, folder: CacheFolder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    code, falsify = FALSE[name]
    loads = Loads(town, folder)
    genuine = loads.client.manifest
    monkeypatch.setattr(loads.client, "manifest", lambda bucket: falsify(town, genuine(bucket)))
    loads.load()
    assert loads.codes() == [code]
    assert content(folder.current()) == by_pages(town, folder)
    loads.load()
    assert loads.codes() == [code]
    assert not list(folder.home.glob("snapshot.*"))


def test_an_older_manifest_than_the_one_that_has_landed_is_refused(
    town: Served, folder: CacheFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = Loads(town, folder)
    genuine = loads.client.manifest
    said = open_manifest(genuine("p1"), town.key_for)
    begun = Landing(folder.home, "p1", KEY)
    begun.begin(changed(town, genuine("p1"), gen=said.gen + 1))
    begun.close()
    loads.load()
    assert loads.codes() == ["manifest_older"]
    assert sums_hold(folder.current())


def test_bytes_that_change_on_their_way_are_refused_and_loaded_again(
    town: Served, folder: CacheFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = Loads(town, folder)

    def garbling(*asked: Any) -> None:
        garbled: Any = (*asked[:-1], lambda data: asked[-1](data[:-1] + b"?"))
        transport.stream(*garbled)

    with monkeypatch.context() as patched:
        patched.setattr(client_module, "stream", garbling)
        loads.load()
    assert loads.codes() in (["answer_refused"], ["snapshot_damaged"])
    assert sums_hold(folder.current())
    assert not list(folder.home.glob("snapshot.*"))


def test_what_landed_of_another_file_or_folder_is_not_gone_on_with(town: Served, folder: CacheFolder) -> None:
    manifest = town.client().manifest("p1")
    other = Landing(folder.home, "p2", KEY)
    other.begin(manifest)
    other.add(b"x" * 50)
    other.flush()
    other.close()
    (folder.home / "snapshot.p2.part").rename(folder.home / "snapshot.p1.part")
    loads = Loads(town, folder)
    loads.load()
    assert (loads.codes(), sums_hold(folder.current())) == ([], True)
    assert Landing(folder.home, "p1", b"d" * 32).resume() is None


def test_a_part_cut_at_any_byte_gives_what_is_whole(tmp_path: Path) -> None:
    """Every byte of it: what was whole before the cut is gone on with, and nothing else."""
    chunks = [bytes([n]) * 100 for n in range(4)]
    landing = Landing(tmp_path, "p1", KEY)
    landing.begin(b"manifest")
    ends = [landing.path.stat().st_size]
    for chunk in chunks:
        landing.add(chunk)
        landing.flush()
        ends.append(landing.path.stat().st_size)
    landing.close()
    data = landing.path.read_bytes()
    assert ends[-1] == len(data)
    for cut in range(len(data) + 1):
        landing.path.write_bytes(data[:cut])
        again = Landing(tmp_path, "p1", KEY)
        found = again.resume()
        if cut < ends[0]:
            assert found is None
            assert not again.path.exists()
            continue
        assert found is not None
        manifest, got = found[0], b"".join(found[1])
        whole = sum(end <= cut for end in ends[1:])
        assert (manifest, got) == (b"manifest", b"".join(chunks[:whole])), cut
        assert again.size == len(got)
        again.add(b"more")
        again.flush()
        again.close()
        last = Landing(tmp_path, "p1", KEY)
        more = last.resume()
        assert more
        assert b"".join(more[1]) == got + b"more", cut
        last.close()


def test_a_snapshot_holds_what_the_feed_does_on_each_database(
    central: Central, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read in lots smaller than the bucket, with a tombstone in it; its sum is the feed's."""
    monkeypatch.setattr(snapshots, "_ROWS", 7)
    made = Served(central, Clock(), "")
    made.fill(100, 40, bucket="p9")
    made.drop(105, bucket="p9")
    said = snapshots.build(central, tmp_path / "snapshots", "p9")
    with central.database.read() as connection:
        page = feeds.page(connection, "p9", 0, 10**6)
    assert (said.gen, said.checksum, said.rows) == (2, page.checksum, 79)
    packed = (tmp_path / "snapshots" / f"p9-1-{said.gen}.zst").read_bytes()
    assert hashlib.sha256(packed).digest() == said.sha256
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    assert len(plain) == said.plain_bytes
    (tmp_path / "plain.db").write_bytes(plain)
    with closing(sqlite3.connect(tmp_path / "plain.db")) as opened:
        for kind, rows in page.rows.items():
            names = ", ".join(COLUMNS[kind])
            found = [list(row) for row in opened.execute(f"SELECT {names} FROM {kind} ORDER BY 1")]
            assert found == rows
    assert set(page.rows) == {"holder", "entitlement"}


def test_a_kiosk_gets_snapshots_of_what_it_follows_only(town: Served) -> None:
    stranger = town.client("BBB1")
    for ask in (lambda: stranger.manifest("p1"), lambda: stranger.snapshot_piece("p1", 5, 0, 10, print)):
        with pytest.raises(CentralFault) as caught:
            ask()
        assert (caught.value.code, caught.value.detail["signed"]) == ("not_followed", True)


@pytest.mark.parametrize(
    "span", ["bytes=5-1", "bytes=-5", "lines=1-2", "bytes=0-1,3-4", "bytes=99999999-", "x"]
)
def test_a_span_that_cannot_be_is_refused(town: Served, span: str) -> None:
    said = open_manifest(town.client().manifest("p1"), town.key_for)
    with pytest.raises(CentralFault) as caught:
        town_piece(town, said, span)
    assert caught.value.code == "range_unsatisfiable"


def town_piece(town: Served, said: Manifest, span: str) -> bytes:
    """Bytes of a snapshot as central has them."""
    first, last = ranges.read_range(span) or (0, 0)
    return snapshots.Snapshots(town.central).piece(said.bucket, said.gen, first, last)[0]


def test_a_snapshot_far_behind_is_made_anew_and_two_are_kept(town: Served) -> None:
    client = town.client()
    gens = [open_manifest(client.manifest("p1"), town.key_for).gen]
    for round_ in range(3):
        town.fill(100, 160, name=f"NAMA {round_}")
        gens.append(open_manifest(client.manifest("p1"), town.key_for).gen)
    town.fill(100, 160)
    assert len(set(gens)) == 4
    left = list((town.central.home / "snapshots").glob("*.zst"))
    assert {path.name for path in left} == {f"p1-1-{gen}.zst" for gen in gens[-2:]}
    assert all(path.stat().st_mode & 0o077 == 0 for path in left)


def test_while_one_is_made_a_kiosk_is_told_to_wait_and_waits(
    town: Served, folder: CacheFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = Loads(town, folder)
    genuine = loads.client.manifest
    answers = iter([CentralFault("snapshot_later", "it is made", retry_after_s=2, signed=True)] * 2)

    def asked(bucket: str) -> bytes:
        fault = next(answers, None)
        if fault is not None:
            raise fault
        return genuine(bucket)

    monkeypatch.setattr(loads.client, "manifest", asked)
    loads.load()
    assert (loads.pauses, loads.codes()) == (2, [])


def test_progress_is_told(town: Served, folder: CacheFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int | None] = []
    note = CacheFolder.note_progress

    def noting(self: CacheFolder, percent: int | None) -> None:
        note(self, percent)
        told.append(self.progress())

    monkeypatch.setattr(CacheFolder, "note_progress", noting)
    Loads(town, folder).load()
    assert told[0] == 0
    assert told[-1] is None
    percents = [one for one in told if one is not None]
    assert percents == sorted(percents)
    assert 80 <= percents[-1] <= 100


def test_cursors_of_another_kind_are_refused_by_code(town: Served) -> None:
    client = town.client()
    cases = {"!": "cursor_malformed", "e30": "cursor_malformed", "e30.e30": "cursor_malformed"}
    cases[changes.Cursor(2, {}).encode()] = "cursor_gone"
    cases[changes.Cursor(1, {"city": 10**6}).encode()] = "cursor_gone"
    cases[f"{changes.Cursor(1, {'city': 1}).encode()}."] = "cursor_malformed"
    for cursor, code in cases.items():
        with pytest.raises(KioskError) as caught:
            client.changes(cursor)
        assert caught.value.code == code, json.dumps(cursor)
