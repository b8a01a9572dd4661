"""A PostgreSQL of the bench's own, as durable as an installation is: Debian's settings, another port."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from kiosk.errors import EnvironmentFault

OWNER: Final = "postgres"
"""Who runs the server when the bench runs as root, which PostgreSQL refuses; Debian's package makes it."""


class Server:
    """A running server; ``pids`` are its processes'."""

    def __init__(self, data: Path, port: int) -> None:
        self._data = data
        self._port = port

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """SQLAlchemy's URL of a new database; it is dropped afterwards."""
        self._execute(f"CREATE DATABASE {name}")
        try:
            yield f"postgresql+psycopg://{OWNER}@127.0.0.1:{self._port}/{name}"
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    @property
    def pids(self) -> list[int]:
        """The server and all it has started by now."""
        first = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    def _execute(self, statement: str) -> None:
        where = {"host": "127.0.0.1", "port": self._port, "user": OWNER, "dbname": "postgres"}
        with psycopg.connect(**where, autocommit=True) as connection:  # type: ignore[arg-type]
            connection.execute(statement.encode())


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Runs a server until the end of the block; its files lie under ``folder`` and go with it.

    Raises EnvironmentFault ``bench_stuck`` without PostgreSQL.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[4]))
    if not found:
        raise EnvironmentFault("bench_stuck", "PostgreSQL is missing: apt-get install postgresql")
    programs = found[-1].parent
    # Its owner has to be able to enter the folder, which the bench's own folder need not allow.
    home = Path(tempfile.mkdtemp(prefix="kmc-bench-", dir=folder if os.geteuid() else None))
    data = home / "data"
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            data.mkdir()
            os.chown(data, owner.pw_uid, owner.pw_gid)
            home.chmod(0o711)
        _run(programs, data, "initdb", "-U", OWNER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        with (data / "postgresql.auto.conf").open("a") as conf:
            conf.write(f"port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")
        _run(programs, data, "pg_ctl", "start", "--wait", "--silent", "--log", str(data / "server.log"))
        try:
            yield Server(data, port)
        finally:
            _run(programs, data, "pg_ctl", "stop", "--mode", "immediate", "--silent")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _run(programs: Path, data: Path, program: str, *arguments: str) -> None:
    as_owner = (
        ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups"] if os.geteuid() == 0 else []
    )
    command = [*as_owner, str(programs / program), "--pgdata", str(data), *arguments]
    # Into a file: the server would keep a pipe open for ever.
    with tempfile.TemporaryFile() as words:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, cwd="/", check=False
        )
        if done.returncode:
            words.seek(0)
            raise EnvironmentFault("bench_stuck", f"{program}: {words.read().decode()[-300:]}")
