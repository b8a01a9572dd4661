"""Loading a bucket as a file: landed encrypted, opened in memory, copied into a new cache as a whole.

What has landed stays through interruptions of any kind, and the load goes on at the byte where it was cut.
Nothing of it counts before the bytes are those that central's manifest signs.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import zstandard

from kiosk.cache import Cache
from kiosk.cache_folder import CacheFolder
from kiosk.clock import Clock
from kiosk.database import database_faults, open_database
from kiosk.errors import CentralFault
from kiosk.feed_rows import COLUMNS, index_ddl, table_ddl
from kiosk.memory_file import MemoryFile
from sync.landing import Landing
from sync.signature import MAX_SKEW_S, KeyFor
from sync.snapshot_format import Manifest, open_manifest

log = logging.getLogger(__name__)

MAKING_S: Final = 60.0
"""So long it is asked again for a snapshot that central is making."""
PAUSE_S: Final = 2.0
MOST_PIECES: Final = 4096
LANDED: Final = 95
"""Percent when all bytes are there; the rest is copying."""
_PLAIN_BLOCK: Final = 1024 * 1024


class SnapshotClient(Protocol):
    """What is asked of central; ``CentralClient`` does it."""

    def manifest(self, bucket: str) -> bytes:
        """The signed manifest of the newest snapshot."""
        ...

    def snapshot_piece(
        self, bucket: str, gen: int, first: int, size: int, on_bytes: Callable[[bytes], None]
    ) -> None:
        """Some bytes of it."""
        ...


class SnapshotLoader:
    """Loads buckets as files for ``load_changes``; used by one thread."""

    def __init__(
        self,
        client: SnapshotClient,
        key_for: KeyFor,
        clock: Clock,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._key_for = key_for
        self._clock = clock
        self._pause = pause
        self._landings: list[Landing] = []

    def load(self, folder: CacheFolder, bucket: str) -> tuple[int, Cache, str, str, int]:
        """A new cache that holds the bucket: its number, itself, the feed's cursor, checksum and rows.

        Raises CentralFault: ``manifest_refused``, ``manifest_other_bucket``, ``manifest_older``,
        ``manifest_future``, ``snapshot_damaged``, ``snapshot_foreign``, what the client raises;
        EnvironmentFault.
        """
        landing = Landing(folder.home, bucket, folder.key)
        self._landings.append(landing)
        try:
            with MemoryFile() as plain:
                manifest = self._land(folder, bucket, landing, plain)
                number, cache = self._copy(folder, plain)
        finally:
            landing.close()
        return number, cache, manifest.cursor, manifest.checksum, manifest.rows

    def done(self) -> None:
        """Takes away what has landed: the cache is current."""
        for landing in self._landings:
            landing.discard()
        self._landings.clear()

    def _land(self, folder: CacheFolder, bucket: str, landing: Landing, plain: MemoryFile) -> Manifest:
        newest = self._manifest(bucket)
        manifest = open_manifest(newest, self._key_for)
        self._check(manifest, bucket)
        opened = _Opened(plain, manifest)
        landed = landing.resume()
        if landed is not None:
            before = self._landed_manifest(landed[0])
            if (
                before is not None
                and before.incarnation == manifest.incarnation
                and before.gen > manifest.gen
            ):
                raise CentralFault("manifest_older", f"gen {manifest.gen} after {before.gen}", bucket=bucket)
            if before == manifest:
                for chunk in landed[1]:
                    opened.add(chunk)
                log.info(
                    "a load of %s goes on at %d of %d bytes", bucket, landing.size, manifest.packed_bytes
                )
            else:
                landed = None  # central has a newer one
        if landed is None:
            landing.begin(newest)
        try:
            self._fetch(folder, manifest, landing, opened)
            opened.finish()
        except CentralFault as fault:
            if fault.code in ("snapshot_damaged", "answer_refused", "snapshot_gone"):
                landing.discard()  # what has landed cannot be believed, or not be completed
            raise
        return manifest

    def _fetch(self, folder: CacheFolder, manifest: Manifest, landing: Landing, opened: _Opened) -> None:
        def take(data: bytes) -> None:
            if landing.size + len(data) > manifest.packed_bytes:
                raise CentralFault("snapshot_damaged", "more bytes than the manifest says")
            landing.add(data)
            opened.add(data)
            folder.note_progress(landing.size * LANDED // manifest.packed_bytes)

        try:
            for _ in range(MOST_PIECES):
                if landing.size >= manifest.packed_bytes:
                    break
                self._client.snapshot_piece(
                    manifest.bucket, manifest.gen, landing.size, manifest.packed_bytes, take
                )
        finally:
            landing.flush()
        if landing.size != manifest.packed_bytes:
            raise CentralFault("answer_cut", f"{landing.size} of {manifest.packed_bytes} bytes")

    def _manifest(self, bucket: str) -> bytes:
        waited = 0.0
        while True:
            try:
                return self._client.manifest(bucket)
            except CentralFault as fault:
                if fault.code != "snapshot_later" or waited >= MAKING_S:
                    raise
                pause_s = min(float(fault.detail.get("retry_after_s", PAUSE_S)), MAKING_S)
                waited += pause_s
                self._pause(pause_s)

    def _landed_manifest(self, data: bytes) -> Manifest | None:
        try:
            return open_manifest(data, self._key_for)
        except CentralFault:
            return None  # signed by a key that has been replaced since

    def _check(self, manifest: Manifest, bucket: str) -> None:
        if manifest.bucket != bucket:
            raise CentralFault("manifest_other_bucket", f"{manifest.bucket} for {bucket}", bucket=bucket)
        if manifest.issued > self._clock.now().timestamp() + MAX_SKEW_S:
            raise CentralFault("manifest_future", "made at a time that has not come", bucket=bucket)

    def _copy(self, folder: CacheFolder, plain: MemoryFile) -> tuple[int, Cache]:
        number, path = folder.new_path()
        with database_faults(path):
            db = open_database(path, folder.key, create=True)
            try:
                connection = db.conn
                # A file that nobody else has yet: no journal to fall back on, one sync at the end.
                connection.execute("PRAGMA journal_mode = OFF")
                connection.execute("PRAGMA synchronous = OFF")
                _attach_and_export(connection, plain)
                connection.execute("PRAGMA journal_mode = WAL")
            finally:
                db.close()
        _sync_file(path)
        return number, Cache(path, folder.key, create=True)


class _Opened:
    """Compressed bytes in, a database in memory out; nothing of it is believed before ``finish``."""

    def __init__(self, plain: MemoryFile, manifest: Manifest) -> None:
        self._plain = plain
        self._manifest = manifest
        self._digest = hashlib.sha256()
        self._stream: Any = zstandard.ZstdDecompressor().decompressobj()

    def add(self, data: bytes) -> None:
        """The next bytes. Raises CentralFault ``snapshot_damaged``."""
        self._digest.update(data)
        try:
            plain = self._stream.decompress(data)
        except zstandard.ZstdError as fault:
            raise CentralFault("snapshot_damaged", f"not a Zstandard frame: {fault}") from None
        if self._plain.size + len(plain) > self._manifest.plain_bytes:
            raise CentralFault("snapshot_damaged", "it inflates beyond what the manifest says")
        if plain:
            self._plain.write(plain)

    def finish(self) -> None:
        """All bytes were there. Raises CentralFault ``snapshot_damaged``."""
        if self._digest.digest() != self._manifest.sha256:
            raise CentralFault("snapshot_damaged", "these are not the bytes that central signed")
        if self._plain.size != self._manifest.plain_bytes:
            raise CentralFault("snapshot_damaged", f"{self._plain.size} bytes inflated")


def _attach_and_export(connection: Any, plain: MemoryFile) -> None:
    """Copies the tables. Raises CentralFault ``snapshot_foreign`` for those of another version: the pages of
    the feed, which name their columns, bring it all the same."""
    connection.execute(f"ATTACH '{plain.uri}' AS snapshot KEY ''")
    try:
        there = dict(connection.execute("SELECT name, sql FROM snapshot.sqlite_schema WHERE sql IS NOT NULL"))
        ours = {kind: table_ddl(kind) for kind in COLUMNS if kind in there}
        ours |= {ddl.split()[2]: ddl for kind in ours.copy() for ddl in index_ddl(kind)}
        if there != ours:
            raise CentralFault("snapshot_foreign", "the tables of another version of the feed")
        connection.execute("SELECT sqlcipher_export('main', 'snapshot')").fetchall()
    finally:
        connection.execute("DETACH snapshot")


def _sync_file(path: Path) -> None:
    """Forces file and folder to the disk."""
    for one in (path, path.parent):
        handle = os.open(one, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
