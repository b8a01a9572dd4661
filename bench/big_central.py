"""A central of any size, made by bulk: kiosks, rights they hold, and records that were stored before."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import Table, insert
from sqlalchemy.engine import make_url

from bench.load import EPOCH, QUANTITY, LoadKiosk, right_of
from kiosk.journal_format import ZERO_HASH
from kiosk.values import Mode
from sync.central import state
from sync.central.models import (
    bucket,
    feed,
    grant_log,
    journal,
    kiosk,
    kiosk_gen,
    pickup,
    point,
    rights,
)
from sync.central.state import Central
from sync.wire import FEED_COLUMNS, point_bucket, row_hash

OLD: Final = "OLD1"
"""The kiosk whose journal was there before."""
RECORD_BYTES: Final = 400
NOT_AFTER: Final = 4_000_000_000
_AT_ONCE: Final = 20_000


def make(home: Path, url: str, kiosks: Sequence[LoadKiosk], rights_each: int, points: int) -> Central:
    """A central whose kiosks are enrolled and hold ``rights_each`` rights each."""
    central = state.init(home, url, Mode.DEMONSTRATION)
    old = LoadKiosk(OLD, 1, 0)
    now = central.now()

    def fill(connection: Any) -> None:
        numbers = range(1, points + 1)
        connection.execute(
            insert(point), [{"id": n, "name": f"P{n}", "district": "U", "kind": "kelurahan"} for n in numbers]
        )
        connection.execute(
            insert(bucket), [{"name": point_bucket(n), "rev": 1, "checksum": 0} for n in numbers]
        )
        connection.execute(insert(kiosk), [_kiosk_row(one, rights_each, now) for one in (old, *kiosks)])
        connection.execute(
            insert(kiosk_gen),
            [
                {
                    "kiosk": one.kiosk,
                    "gen": 1,
                    "public": one.public(),
                    "enrolled_at": now,
                    "state": "active",
                    "acked_seq": 0,
                    "head": ZERO_HASH,
                    "ticket_hash": bytes(32),
                }
                for one in (old, *kiosks)
            ],
        )

    central.database.write(fill)
    _bulk(url, rights, (_held(one, n, now) for one in kiosks for n in range(rights_each)))
    _bulk(url, grant_log, (_granted(one, n, now) for one in kiosks for n in range(rights_each)))
    return central


def _kiosk_row(one: LoadKiosk, rights_each: int, now: int) -> dict[str, Any]:
    return {
        "id": one.kiosk,
        "point_id": one.point,
        "counter": "Loket",
        "keeper": one.kiosk != OLD,
        "state": "active",
        "gen": 1,
        "grant_rev": rights_each,
        "frozen_why": "",
        "seen_at": now,
        "health": None,
    }


def prefill(url: str, first: int, count: int, points: int) -> None:
    """Adds ``count`` stored records, each with its pickup, spent right, grant and row of the feed."""
    numbers = range(first, first + count)
    now = int(time.time())
    _bulk(url, journal, (_stored(n, now) for n in numbers))
    _bulk(url, pickup, (_picked_up(n, points) for n in numbers))
    _bulk(url, rights, (_spent(n, points) for n in numbers))
    _bulk(url, grant_log, (_grant_of(n, now) for n in numbers))
    _bulk(url, feed, (_told(n, points) for n in numbers))
    if count:
        settle(url)


def settle(url: str) -> None:
    """What a server does beside its work while records come in over months, and would now do at once.

    Rows are vacuumed and counted for the planner, and what is dirty is written.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return
    with psycopg.connect(
        host=parsed.host,
        port=parsed.port or 5432,
        user=parsed.username,
        dbname=parsed.database,
        autocommit=True,
    ) as server:
        server.execute("VACUUM (ANALYZE)")
        server.execute("CHECKPOINT")


def _old_holder(number: int) -> int:
    return 50_000_000 + number


def _stored(number: int, now: int) -> dict[str, Any]:
    return {
        "kiosk": OLD,
        "gen": 1,
        "seq": number,
        "hash": secrets.token_bytes(32),
        "record": secrets.token_bytes(RECORD_BYTES),
        "signature": secrets.token_bytes(64),
        "type": "dispense",
        "right": right_of(_old_holder(number)),
        "quarantine": "",
        "received_at": now,
    }


def _picked_up(number: int, points: int) -> dict[str, Any]:
    return {
        "ref": f"{OLD}-{number:04d}",
        "kiosk": OLD,
        "gen": 1,
        "seq": number,
        "right": right_of(_old_holder(number)),
        "program_version": "beras@1",
        "card": "9900000000000017",
        "quantity": QUANTITY,
        "spends": QUANTITY,
        "epoch_incarnation": EPOCH[0],
        "epoch_n": EPOCH[1],
        "officer": "ani",
        "wall": 1_795_500_000_000 + number,
        "point_id": number % points + 1,
        "voided": False,
    }


def _right(key: str, point_id: int) -> dict[str, Any]:
    terms = [["beras", 1, 1, 1, QUANTITY]]
    said = {"terms": terms, "not_before": 1, "not_after": NOT_AFTER, "mode": "strict", "upto_seq": 0}
    return {
        "right": key,
        "subject": key.split("/", maxsplit=1)[0],
        "point_id": point_id,
        "quantity": QUANTITY,
        "spent": 0,
        "terms": json.dumps(terms, separators=(",", ":")),
        "not_before": 1,
        "not_after": NOT_AFTER,
        "mode": "strict",
        "held_by": "",
        "gen": 1,
        "epoch_incarnation": EPOCH[0],
        "epoch_n": EPOCH[1],
        "granted": json.dumps(said, separators=(",", ":")),
        "granted_left": QUANTITY,
        "grant_rev": 0,
        "in_doubt": False,
        "recall": False,
        "wanted_by": "",
        "wanted_until": 0,
        "last_at": None,
        "last_point_id": None,
        "last_ref": None,
    }


def _held(one: LoadKiosk, number: int, now: int) -> dict[str, Any]:
    row = _right(right_of(one.first_holder + number), one.point)
    return row | {"held_by": one.kiosk, "grant_rev": number + 1}


def _spent(number: int, points: int) -> dict[str, Any]:
    point_id = number % points + 1
    row = _right(right_of(_old_holder(number)), point_id)
    ref = f"{OLD}-{number:04d}"
    return row | {
        "spent": QUANTITY,
        "held_by": OLD,
        "grant_rev": number,
        "last_at": "2026-11-24T13:00:00+07:00",
        "last_point_id": point_id,
        "last_ref": ref,
    }


def _granted(one: LoadKiosk, number: int, now: int) -> dict[str, Any]:
    return _log_row(right_of(one.first_holder + number), one.kiosk, now)


def _grant_of(number: int, now: int) -> dict[str, Any]:
    return _log_row(right_of(_old_holder(number)), OLD, now)


def _log_row(right: str, kiosk_id: str, now: int) -> dict[str, Any]:
    return {
        "right": right,
        "epoch_incarnation": EPOCH[0],
        "epoch_n": EPOCH[1],
        "kiosk": kiosk_id,
        "gen": 1,
        "quantity_left": QUANTITY,
        "spent_before": 0,
        "issued_at": now,
    }


def _told(number: int, points: int) -> dict[str, Any]:
    spent = _spent(number, points)
    point_id = spent["point_id"]
    columns = FEED_COLUMNS["right"]
    known = {"right": spent["right"], "held_by": OLD, "point_id": 1} | {
        name: spent[name] for name in ("quantity", "spent", "last_at", "last_point_id", "last_ref")
    }
    values = [known[name] for name in columns]
    return {
        "bucket": point_bucket(point_id),
        "kind": "right",
        "row_key": json.dumps([spent["right"]], separators=(",", ":")),
        "rev": 1,
        "body": json.dumps(values, separators=(",", ":")),
        "hash": row_hash("right", values),
    }


def _bulk(url: str, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Inserts rows past all that makes an insert safe but slow; columns that a row lacks stay empty."""
    parsed = make_url(url)
    named = {column.name for column in table.columns}
    if parsed.get_backend_name() == "sqlite":
        connection = sqlite3.connect(str(parsed.database), isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -400000")
        connection.execute("BEGIN")
        for some in _batches(rows):
            names = [name for name in some[0] if name in named]
            columns = ", ".join(f'"{name}"' for name in names)
            marks = ", ".join("?" * len(names))
            connection.executemany(
                f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})',
                [tuple(row[name] for name in names) for row in some],
            )
        connection.execute("COMMIT")
        connection.close()
        return
    with psycopg.connect(
        host=parsed.host, port=parsed.port or 5432, user=parsed.username, dbname=parsed.database
    ) as server:
        for some in _batches(rows):
            names = [name for name in some[0] if name in named]
            columns = ", ".join(f'"{name}"' for name in names)
            with server.cursor().copy(f'COPY "{table.name}" ({columns}) FROM STDIN'.encode()) as copy:
                for row in some:
                    copy.write_row([row[name] for name in names])


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
