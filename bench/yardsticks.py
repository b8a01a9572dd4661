"""Bare operations of the same machine, disk and libraries, to hold the product's figures against."""

from __future__ import annotations

import secrets
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlcipher3.dbapi2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.city import City
from kiosk.home import Home

ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True:
    data, address = s.recvfrom(2048)
    s.sendto(data, address)
"""


def times_ms(work: Callable[[], object], count: int) -> list[float]:
    """How long each of ``count`` calls takes."""
    found = []
    for _ in range(count):
        begun = time.perf_counter()
        work()
        found.append((time.perf_counter() - begun) * 1000)
    return found


def bare_lookups(home: Home, city: City, holders: Sequence[int]) -> list[float]:
    """A SQLCipher connection of its own that fetches the same rows by their primary keys, in milliseconds.

    For each holder: the holder, every entitlement, its program, and its right in the cache and the ledger.
    """
    wanted: dict[int, list[tuple[int, str, str]]] = {holder: [] for holder in holders}
    by_family = {(holder - 1) // 4 + 1: holder for holder in holders}
    for one in city.entitled():
        number = int(one.subject[1:])
        holder = by_family.get(number) if one.subject[0] == "f" else number
        if holder in wanted:
            wanted[holder].append((one.id, city.programs[one.program].id, city.right_of(one)))
    cache = bare_connection(home.caches().current().path, home.keys.database_key)
    ledger = bare_connection(home.path / "ledger.db", home.keys.database_key)
    found = []
    for holder in holders:
        begun = time.perf_counter()
        cache.execute('SELECT * FROM "holder" WHERE id = ?', (holder,)).fetchone()
        for number, program, right in wanted[holder]:
            cache.execute('SELECT * FROM "entitlement" WHERE id = ?', (number,)).fetchone()
            cache.execute('SELECT * FROM "program" WHERE id = ?', (program,)).fetchone()
            cache.execute('SELECT * FROM "right" WHERE "right" = ?', (right,)).fetchone()
            ledger.execute("SELECT * FROM rights WHERE right = ?", (right,)).fetchone()
        found.append((time.perf_counter() - begun) * 1000)
    cache.close()
    ledger.close()
    return found


def bare_connection(path: Path, key: bytes) -> Any:
    """A SQLCipher connection with a raw key and nothing else set."""
    connection = sqlcipher3.dbapi2.connect(str(path), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    return connection


def bare_commits(folder: Path, count: int) -> list[float]:
    """One SQLCipher insert of 300 bytes and its commit, WAL with ``synchronous=FULL``, in milliseconds."""
    path = folder / "yardstick.db"
    _remove(path)
    connection = bare_connection(path, secrets.token_bytes(32))
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE record (seq INTEGER PRIMARY KEY, body BLOB)")

    def insert() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO record (body) VALUES (?)", (secrets.token_bytes(300),))
        connection.execute("COMMIT")

    found = times_ms(insert, count)
    connection.close()
    _remove(path)
    return found


def bare_inserts_per_s(folder: Path, count: int) -> float:
    """Rows a second into plain SQLite, 300 bytes each, 200 in a transaction with ``synchronous=FULL``."""
    path = folder / "yardstick.db"
    _remove(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE record (seq INTEGER PRIMARY KEY, body BLOB)")
    begun = time.perf_counter()
    for start in range(0, count, 200):
        connection.execute("BEGIN IMMEDIATE")
        rows = [(secrets.token_bytes(300),) for _ in range(min(200, count - start))]
        connection.executemany("INSERT INTO record (body) VALUES (?)", rows)
        connection.execute("COMMIT")
    took_s = time.perf_counter() - begun
    connection.close()
    _remove(path)
    return count / took_s


def bare_verifies(count: int) -> list[float]:
    """One Ed25519 verification of 200 bytes, in milliseconds."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    message = secrets.token_bytes(200)
    signature = private.sign(message)
    return times_ms(lambda: public.verify(signature, message), count)


def udp_round_trips(count: int) -> list[float]:
    """A datagram of 20 bytes to another process and back, in milliseconds."""
    echo = subprocess.Popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE, text=True)
    assert echo.stdout is not None
    try:
        address = ("127.0.0.1", int(echo.stdout.readline()))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(10)

            def once() -> None:
                asking.sendto(b"106A 000102030405060", address)
                asking.recvfrom(2048)

            return times_ms(once, count)
    finally:
        echo.kill()
        echo.wait()
        echo.stdout.close()


def _remove(path: Path) -> None:
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()
