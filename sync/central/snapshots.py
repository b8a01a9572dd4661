"""One bucket as a ready-made SQLite file: made when it is asked for, kept on disk, made anew when far behind.

The tables and indexes are those of a kiosk's cache, word for word, so that SQLite can copy pages there. Two
generations of a bucket are kept, for a kiosk that is half way through the one before.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import zstandard
from sqlalchemy import Connection, func, select

from kiosk.errors import CentralFault, KioskError
from kiosk.feed_rows import COLUMNS, index_ddl, table_ddl
from sync.central import feed as feeds
from sync.central.changes import Cursor
from sync.central.models import feed
from sync.central.state import Central
from sync.snapshot_format import Manifest, make, open_manifest

FOLDER: Final = "snapshots"
KEPT: Final = 2
WAIT_S: Final = 3.0
"""So long a question waits for a snapshot that is being made."""
RETRY_AFTER_S: Final = 2
BEHIND_SHARE: Final = 10
"""A snapshot behind which more than one row in ten has changed is made anew, but not for fewer than:"""
BEHIND_ROWS: Final = 5000
_LEVEL: Final = 3
_ROWS: Final = 10_000
_BLOCK: Final = 1024 * 1024

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Making:
    """A snapshot that one thread is making."""

    done: threading.Event = field(default_factory=threading.Event)
    fault: BaseException | None = None


class Snapshots:
    """The snapshots of one central; several processes may share the folder."""

    def __init__(self, central: Central, *, wait_s: float = WAIT_S) -> None:
        self._central = central
        self._folder = central.home / FOLDER
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._making: dict[str, _Making] = {}

    def manifest(self, bucket: str) -> bytes:
        """The signed manifest of a snapshot of the bucket that is not far behind.

        Raises CentralFault ``snapshot_later`` (detail ``retry_after_s``) while a large one is being made.
        """
        newest = self._newest(bucket)
        if newest is not None and not self._is_far_behind(newest):
            return self._path(newest.bucket, newest.gen, "manifest").read_bytes()
        making = self._start(bucket)
        if not making.done.wait(self._wait_s):
            raise CentralFault("snapshot_later", "it is being made", retry_after_s=RETRY_AFTER_S)
        if making.fault is not None:
            raise making.fault
        newest = self._newest(bucket)
        if newest is None:
            raise CentralFault("snapshot_later", "it was replaced just now", retry_after_s=RETRY_AFTER_S)
        return self._path(newest.bucket, newest.gen, "manifest").read_bytes()

    def piece(self, bucket: str, gen: int, first: int, last: int) -> tuple[bytes, int]:
        """Bytes ``first`` to ``last`` (inclusive, cut at the end) of a snapshot, and how many it has in all.

        Raises CentralFault ``snapshot_gone``, ``range_unsatisfiable``.
        """
        try:
            with self._path(bucket, gen, "zst").open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if first >= size or last < first:
                    raise CentralFault("range_unsatisfiable", f"it has {size} bytes")
                file.seek(first)
                return file.read(min(last, size - 1) - first + 1), size
        except FileNotFoundError:
            raise CentralFault("snapshot_gone", "there is a newer one by now") from None

    def _start(self, bucket: str) -> _Making:
        with self._lock:
            making = self._making.get(bucket)
            if making is None:
                making = self._making[bucket] = _Making()
                work = threading.Thread(
                    target=self._make, args=(bucket, making), name=f"snapshot {bucket}", daemon=True
                )
                work.start()
            return making

    def _make(self, bucket: str, making: _Making) -> None:
        try:
            made = build(self._central, self._folder, bucket)
            logger.info("snapshot of %s: %d rows, %d bytes", bucket, made.rows, made.packed_bytes)
            self._forget_older(bucket, made.gen)
        except (KioskError, OSError, sqlite3.Error) as fault:
            logger.exception("the snapshot of %s could not be made", bucket)
            making.fault = fault if isinstance(fault, KioskError) else _not_made(fault)
        finally:
            with self._lock:
                del self._making[bucket]
            making.done.set()

    def _newest(self, bucket: str) -> Manifest | None:
        manifests = (self._read(path) for path in self._folder.glob(f"{bucket}-*.manifest"))
        mine = [one for one in manifests if one and one.incarnation == self._central.incarnation]
        return max(mine, key=lambda one: one.gen, default=None)

    def _read(self, path: Path) -> Manifest | None:
        key = self._central.keys.central
        try:
            return open_manifest(
                path.read_bytes(), lambda kid: key.private.public_key() if kid == key.kid else None
            )
        except (FileNotFoundError, CentralFault):
            return None  # another process has replaced it, or it was made under another key

    def _is_far_behind(self, newest: Manifest) -> bool:
        allowed = max(BEHIND_ROWS, newest.rows // BEHIND_SHARE)
        changed = select(feed.c.row_key).where(feed.c.bucket == newest.bucket, feed.c.rev > newest.gen)
        with self._central.database.read() as connection:
            counted = select(func.count()).select_from(changed.limit(allowed + 1).subquery())
            return int(connection.execute(counted).scalar_one()) > allowed

    def _path(self, bucket: str, gen: int, kind: str) -> Path:
        return self._folder / f"{bucket}-{self._central.incarnation}-{gen}.{kind}"

    def _forget_older(self, bucket: str, gen: int) -> None:
        kept = {str(gen)}
        gens = {path.stem.rpartition("-")[2] for path in self._folder.glob(f"{bucket}-*.manifest")}
        kept |= set(sorted((one for one in gens if one.isdigit()), key=int)[-KEPT:])
        for path in self._folder.glob(f"{bucket}-*"):
            *_, incarnation, number = path.stem.split("-")
            if number not in kept or incarnation != str(self._central.incarnation):
                path.unlink(missing_ok=True)


def build(central: Central, folder: Path, bucket: str) -> Manifest:
    """Makes a snapshot of a bucket as it is now; answers what its manifest says. Raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    staging = folder / f".{bucket}.{os.getpid()}.{threading.get_ident()}"
    plain, packed = staging.with_suffix(".sqlite"), staging.with_suffix(".zst")
    try:
        os.close(os.open(plain, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        with central.database.read() as connection:
            rev = feeds.revs(connection, [bucket])[bucket]
            rows, total = _fill(plain, bucket, _rows(connection, bucket))
        sha256 = _compress(plain, packed)
        said = Manifest(
            bucket=bucket,
            gen=rev,
            incarnation=central.incarnation,
            rows=rows,
            packed_bytes=packed.stat().st_size,
            sha256=sha256,
            plain_bytes=plain.stat().st_size,
            checksum=str(total % 2**64),
            cursor=Cursor(central.incarnation, {bucket: rev}).encode(),
            issued=central.now(),
        )
        name = folder / f"{bucket}-{central.incarnation}-{rev}.zst"
        packed.replace(name)
        signed = staging.with_suffix(".manifest")
        signed.write_bytes(make(said, central.keys.central.private, central.keys.central.kid))
        # The manifest last: what it names is there. Made twice of one rev, the bytes are the same.
        signed.replace(name.with_suffix(".manifest"))
        return said
    finally:
        for path in (plain, packed):
            with suppress(FileNotFoundError):
                path.unlink()


def _rows(connection: Connection, bucket: str) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Kind, and rows as JSON text with their hashes, in lots; a kind may come in many lots."""
    for kind in COLUMNS:
        query = select(feed.c.body, feed.c.hash).where(
            feed.c.bucket == bucket, feed.c.kind == kind, feed.c.body.is_not(None)
        )
        found = connection.execution_options(yield_per=_ROWS).execute(query)
        for lot in found.partitions():
            yield kind, [(row.body, row.hash) for row in lot]


def _fill(path: Path, bucket: str, lots: Iterator[tuple[str, list[tuple[str, int]]]]) -> tuple[int, int]:
    """Writes the tables; answers how many rows there are, and the sum of their hashes."""
    count = total = 0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE", "cache_size = -65536"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        staged: list[str] = []
        for kind, rows in lots:
            if kind not in staged:
                staged.append(kind)
                names = ", ".join(f'"{name}"' for name in COLUMNS[kind])
                connection.execute(f'CREATE TEMP TABLE "staged_{kind}" ({names}, hash)')
            marks = ", ".join("?" * (len(COLUMNS[kind]) + 1))
            values: list[list[Any]] = json.loads(f"[{','.join(body for body, _ in rows)}]")
            connection.executemany(
                f'INSERT INTO temp."staged_{kind}" VALUES ({marks})',
                ((*row, hashed) for row, (_, hashed) in zip(values, rows, strict=True)),
            )
            count += len(rows)
            total += sum(hashed for _, hashed in rows)
        for kind in staged:
            # In the order of the key, pages come out full and each index is built by one sort.
            names = ", ".join(f'"{name}"' for name in COLUMNS[kind])
            connection.execute(table_ddl(kind))
            connection.execute(
                f'INSERT INTO main."{kind}" SELECT {names}, ?, hash FROM temp."staged_{kind}" ORDER BY 1',
                (bucket,),
            )
            connection.execute(f'DROP TABLE temp."staged_{kind}"')
            for ddl in index_ddl(kind):
                connection.execute(ddl)
        connection.execute("COMMIT")
    return count, total


def _compress(plain: Path, packed: Path) -> bytes:
    """Writes the file as one Zstandard frame; answers the SHA-256 of its bytes."""
    digest = hashlib.sha256()
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    handle = os.open(packed, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with plain.open("rb") as source, os.fdopen(handle, "wb") as target:
        for block in compressor.read_to_iter(source, size=plain.stat().st_size, read_size=_BLOCK):
            digest.update(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    return digest.digest()


def _not_made(fault: BaseException) -> CentralFault:
    return CentralFault("snapshot_later", f"it could not be made: {type(fault).__name__}", retry_after_s=60)
