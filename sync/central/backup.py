"""A backup of central as one portable file: any database's rows, of one moment, taken while central runs.

Zstandard over JSON lines: a head, each table's name with its columns and then its rows as lists (bytes as
Base64), and an end with the number of rows and the SHA-256 of all before it. Keys are not in it: they are
files of their own, and whoever has both could be central.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import zstandard
from sqlalchemy import Connection, LargeBinary, Table, select, update

from kiosk.durable_file import sync_folder
from kiosk.errors import EnvironmentFault
from sync.central import migration, settings
from sync.central.models import kiosk_gen, metadata, nonce
from sync.central.state import Central
from sync.wire import to_base64

KIND: Final = "kmc-central-backup"
VERSION: Final = 1
LEFT_OUT: Final = (nonce.name,)
"""Nonces matter for minutes only."""
MAX_LINE_BYTES: Final = 64 * 1024 * 1024
_ROWS_AT_ONCE: Final = 2000


def write(central: Central, path: Path) -> dict[str, Any]:
    """Writes a backup to ``path`` and tells kiosks, by ``durable_seq``, what it covers.

    Answers ``{"file", "bytes", "rows", "records"}``. Raises EnvironmentFault ``backup_failed``, and what the
    database raises; an unfinished file goes.
    """
    part = path.with_name(path.name + ".part")
    try:
        # What is granted from here on is in the new file, and perhaps in the backup too.
        central.outside.begin_new(central.clock())
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                counts, acked = _write_out(central, file)
                file.flush()
                os.fsync(file.fileno())
            size = part.stat().st_size
            part.rename(path)
            sync_folder(path.parent)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as fault:
        raise EnvironmentFault("backup_failed", f"{path.name}: {fault.strerror}") from fault
    central.database.write(partial(_note, central.now(), path.name, acked))
    return {"file": str(path), "bytes": size, "rows": sum(counts.values()), "records": counts["journal"]}


def _write_out(central: Central, file: IO[bytes]) -> tuple[dict[str, int], list[tuple[str, int, int]]]:
    digest = hashlib.sha256()
    counts: dict[str, int] = {}
    with zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as out:

        def say(value: Any) -> None:
            line = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
            digest.update(line)
            out.write(line)

        with _snapshot(central) as connection:
            say(
                {
                    "kind": KIND,
                    "v": VERSION,
                    "tables": migration.newest(),
                    "mode": str(central.mode),
                    "incarnation": central.incarnation,
                    "central_kid": settings.get(connection, "central_kid"),
                    "made_at": central.now(),
                }
            )
            query = select(kiosk_gen.c.kiosk, kiosk_gen.c.gen, kiosk_gen.c.acked_seq)
            acked = [(row.kiosk, row.gen, row.acked_seq) for row in connection.execute(query)]
            for table in metadata.sorted_tables:
                if table.name not in LEFT_OUT:
                    say({"table": table.name, "columns": [column.name for column in table.columns]})
                    counts[table.name] = 0
                    for values in _rows_of(connection, table):
                        say(values)
                        counts[table.name] += 1
        end = {"end": counts, "sha256": digest.hexdigest()}
        out.write(json.dumps(end, separators=(",", ":")).encode() + b"\n")
    return counts, acked


@contextmanager
def _snapshot(central: Central) -> Iterator[Connection]:
    """One moment of the database, however long it is read; writers go on."""
    if central.database.is_sqlite:
        with central.database.read() as connection:
            yield connection
        return
    with central.database.engine.connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield connection
        connection.rollback()


def _rows_of(connection: Connection, table: Table) -> Iterator[list[Any]]:
    raw = [at for at, column in enumerate(table.columns) if isinstance(column.type, LargeBinary)]
    options = {"yield_per": _ROWS_AT_ONCE}
    for row in connection.execute(select(table), execution_options=options):
        values = list(row)
        for at in raw:
            if values[at] is not None:
                values[at] = to_base64(bytes(values[at]))
        yield values


def _note(now: int, name: str, acked: list[tuple[str, int, int]], connection: Connection) -> None:
    for kiosk_id, gen, seq in acked:
        place = (kiosk_gen.c.kiosk == kiosk_id) & (kiosk_gen.c.gen == gen) & (kiosk_gen.c.durable_seq < seq)
        connection.execute(update(kiosk_gen).where(place).values(durable_seq=seq))
    settings.put(connection, backup_at=str(now), backup_file=name)


def check(path: Path) -> dict[str, Any]:
    """Reads a whole backup; answers its head.

    Raises EnvironmentFault ``backup_unreadable``: no backup, cut short, or changed.
    """
    head: dict[str, Any] | None = None
    for value in _values(path):
        if head is None:
            head = value if isinstance(value, dict) else {}
            if head.get("kind") != KIND:
                raise EnvironmentFault("backup_unreadable", f"{path.name} is no backup of central")
            if head.get("v") != VERSION:
                raise EnvironmentFault("backup_unreadable", f"{path.name} is of a newer program")
    if head is None:
        raise EnvironmentFault("backup_unreadable", f"{path.name} is empty")
    return head


def read(path: Path) -> Iterator[tuple[str, list[str], Iterator[list[Any]]]]:
    """Each table's name, its columns and its rows, to be read in this order. Raises as ``check`` does."""
    values = _values(path)
    next(values)
    waiting: list[dict[str, Any]] = []

    def rows() -> Iterator[list[Any]]:
        for value in values:
            if isinstance(value, dict):
                waiting.append(value)
                return
            yield value

    for _ in rows():
        raise EnvironmentFault("backup_unreadable", f"{path.name}: rows without a table")
    while waiting:
        named = waiting.pop()
        yield named["table"], named["columns"], rows()


def _values(path: Path) -> Iterator[Any]:
    """Head, tables' names and rows; the end is checked, not given."""
    digest = hashlib.sha256()
    counts: dict[str, int] = {}
    table = ""
    try:
        with (
            path.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file) as plain,
            io.BufferedReader(plain, 1 << 20) as lines,
        ):
            while line := lines.readline(MAX_LINE_BYTES):
                value = json.loads(line)
                if isinstance(value, dict) and "end" in value:
                    if value != {"end": counts, "sha256": digest.hexdigest()} or lines.read(1):
                        raise EnvironmentFault("backup_unreadable", f"{path.name} was changed")
                    return
                digest.update(line)
                if isinstance(value, list):
                    counts[table] += 1
                elif "table" in value:
                    table = value["table"]
                    counts[table] = 0
                yield value
    except (OSError, ValueError, KeyError, zstandard.ZstdError) as fault:
        said = fault.strerror if isinstance(fault, OSError) else type(fault).__name__
        raise EnvironmentFault("backup_unreadable", f"{path.name}: {said}") from fault
    raise EnvironmentFault("backup_unreadable", f"{path.name} was cut short")
