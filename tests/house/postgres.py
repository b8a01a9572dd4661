"""A PostgreSQL of the test run's own: started at its first use, shared by all workers, gone at the end."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

OWNER = "postgres"
"""Who runs the server when the tests run as root, which PostgreSQL refuses; Debian's package makes it."""


def new_home() -> Path:
    """A new folder that only the run and the server's owner can enter."""
    return Path(tempfile.mkdtemp(prefix="kmc-tests-"))


def programs() -> Path | None:
    """The folder with initdb and pg_ctl of the newest PostgreSQL there is."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Cluster:
    """The run's server. ``home`` is the folder that the run's processes share."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._data = home / "postgres"
        self._state = home / "postgres.json"
        self._port = 0

    def start(self) -> None:
        """Starts the server unless a worker has; afterwards its port is known."""
        if self._port:
            return
        with (self.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._state.exists():
                self._state.write_text(json.dumps({"port": self._start()}))
            self._port = int(json.loads(self._state.read_text())["port"])

    def create(self, template: str = "template1") -> str:
        """A new database like ``template``, to which nobody may be connected; answers its name."""
        name = f"t{uuid.uuid4().hex}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def url(self, name: str) -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://{OWNER}@127.0.0.1:{self._port}/{name}"

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """SQLAlchemy's URL of a new database; it is dropped afterwards, whoever is still connected."""
        name = self.create(template)
        try:
            yield self.url(name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def remove(self) -> None:
        """Stops the server, if one runs, and removes the folder."""
        if self._state.exists():
            self._run("pg_ctl", "stop", "--mode", "immediate", "--silent")
        shutil.rmtree(self.home, ignore_errors=True)

    def _start(self) -> int:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            self._data.mkdir()
            os.chown(self._data, owner.pw_uid, owner.pw_gid)
            os.chown(self.home, -1, owner.pw_gid)
            self.home.chmod(0o710)
        self._run(
            "initdb",
            "--username",
            OWNER,
            "--auth",
            "trust",
            "--no-sync",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
        with (self._data / "postgresql.auto.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self._run("pg_ctl", "start", "--wait", "--silent", "--log", str(self._data / "server.log"))
        return port

    def _run(self, program: str, *arguments: str) -> None:
        folder = programs()
        if folder is None:
            raise RuntimeError("PostgreSQL is missing: apt-get install postgresql")
        as_owner = (
            ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups"] if os.geteuid() == 0 else []
        )
        with tempfile.TemporaryFile() as words:
            outcome = subprocess.run(
                [*as_owner, str(folder / program), "--pgdata", str(self._data), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                cwd="/",
                check=False,
            )
            if outcome.returncode:
                words.seek(0)
                raise RuntimeError(f"{program} ended with {outcome.returncode}: {words.read().decode()}")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(
            host="127.0.0.1", port=self._port, user=OWNER, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0
