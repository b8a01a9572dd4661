"""``kmc-central`` as people type it, and central served over a real socket."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kiosk.officer_pin import pin_holds
from sync.central import migration, state, telling
from sync.central.cli import main
from sync.central.import_format import to_json
from tests.sync.central_side import CARD_1, Clock, PlainKiosk, city

pytestmark = pytest.mark.anyio


class Shell:
    """Runs commands against one data folder and one database."""

    def __init__(self, home: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self.url, self._capsys = home, url, capsys

    def __call__(self, *words: str, code: int = 0) -> Any:
        """Runs a command with --json; answers what it printed."""
        found = main([*words, "--json", "--home", str(self.home), "--database", self.url])
        out = self._capsys.readouterr().out
        assert found == code, out
        return json.loads(out)


@pytest.fixture
def shell(tmp_path: Path, central_database_url: str, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands against an empty folder."""
    return Shell(tmp_path / "home", central_database_url, capsys)


def test_nothing_works_before_init(shell: Shell) -> None:
    assert shell("status", code=1)["code"] == "not_initialised"


def test_init_makes_keys_once_and_the_mode_stays(shell: Shell) -> None:
    assert shell("init")["mode"] == "production"
    keys = sorted((shell.home / "keys").glob("*.key"))
    public = {path.name for path in (shell.home / "keys").iterdir()} - {key.name for key in keys}
    assert public == {"root1.pub", "root2.pub"}
    assert [key.name for key in keys] == [
        f"{name}.key" for name in ("central", "issuer", "nik", "pepper", "root1", "root2")
    ]
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o400}
    before = [key.read_bytes() for key in keys]
    assert len(set(before)) == 6
    shell("init")
    assert [key.read_bytes() for key in keys] == before
    assert shell("init", "--mode", "demonstration", code=1)["code"] == "mode_fixed"
    assert shell("demo", code=1)["code"] == "not_in_production"
    assert migration.differences(shell.url) == []


def test_keys_of_another_central_are_noticed(shell: Shell) -> None:
    shell("init")
    key = shell.home / "keys" / "central.key"
    key.chmod(0o600)
    key.write_bytes(bytes(32))
    assert shell("status", code=1)["code"] == "keys_unreadable"
    key.write_bytes(b"short")
    assert shell("status", code=1)["code"] == "keys_unreadable"


def test_a_demonstration_is_filled_once(shell: Shell) -> None:
    shell("init", "--mode", "demonstration")
    began = time.monotonic()
    first = shell("demo")
    assert time.monotonic() - began < 15
    assert (first["filled"], first["holders"]) == (True, 500)
    cards = [json.loads(line) for line in Path(first["cards_file"]).read_text().splitlines()]
    assert len(cards) == first["cards"] >= 500
    assert {"card_no", "label", "holder", "chip", "uid", "nfc", "qr"} <= set(cards[0])
    status = shell("status")
    again = shell("demo")
    assert (again["filled"], again["officers"]) == (False, first["officers"])
    assert shell("status") == status
    assert status["kiosks"] == {"new": 3}
    assert status["cases"] == {}


def test_cards_are_issued_replaced_and_revoked(shell: Shell) -> None:
    shell("init", "--mode", "demonstration")
    imported(shell)
    first = shell("card", "issue", "1")
    assert (first["card_no"], first["issue_no"]) == (CARD_1, 1)
    second = shell("card", "replace", CARD_1, "--reason", "lost", "--chip", "FeliCa")
    assert (second["issue_no"], second["chip"]) == (2, "FeliCa")
    assert second["uid"] != first["uid"]
    assert shell("card", "revoke", CARD_1) == {"card_no": CARD_1, "revoked": 1}
    listed = shell("card", "list", "--card-no", CARD_1)
    assert [one["status"] for one in listed] == ["lost", "revoked"]
    assert shell("card", "revoke", CARD_1, code=1)["code"] == "unknown_card"
    assert shell("card", "issue", "99", code=1)["code"] == "unknown_holder"
    assert shell("card", "issue", "1", "--uid", "08aabbcc", code=1)["code"] == "card_refused"
    assert shell("card", "issue", "1", "--uid", "xyz", code=1)["code"] == "card_refused"


def test_kiosks(shell: Shell) -> None:
    shell("init", "--mode", "demonstration")
    imported(shell)
    assert shell("kiosk", "add", "CCC1", "--point", "2")["state"] == "new"
    assert shell("kiosk", "add", "CCC1", "--point", "2", code=1)["code"] == "kiosk_exists"
    assert shell("kiosk", "add", "CCC2", "--point", "9", code=1)["code"] == "unknown_point"
    assert shell("kiosk", "add", "CCC2", "--point", "2", "--keeper", code=1)["code"] == "keeper_exists"
    ticket = shell("kiosk", "ticket", "CCC1")["ticket"]
    assert ticket.endswith(shell("init", "--mode", "demonstration")["root_fingerprint"])
    assert shell("kiosk", "ticket", "ZZZ1", code=1)["code"] == "unknown_kiosk"
    assert shell("kiosk", "revoke", "CCC1")["state"] == "revoked"
    assert {one["id"]: one["state"] for one in shell("kiosk", "list")}["CCC1"] == "revoked"
    ids = [one["id"] for one in shell("kiosk", "list")]
    assert [one["id"] for one in shell("kiosk", "list", "--after", ids[0], "--limit", "1")] == ids[1:2]


def test_officers_get_their_pin_from_stdin(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("init", "--mode", "demonstration")
    imported(shell)
    words = ("officer", "add", "budi", "--name", "Budi", "--point", "1", "--until", "2027-01-01")
    monkeypatch.setattr(sys, "stdin", io.StringIO("123456\n"))
    assert shell(*words, code=1)["code"] == "pin_too_simple"
    monkeypatch.setattr(sys, "stdin", io.StringIO("583021\n"))
    assert shell(*words) == {"username": "budi"}
    monkeypatch.setattr(sys, "stdin", io.StringIO("719305\n"))
    assert shell("officer", "set-pin", "budi") == {"username": "budi"}
    listed = shell("officer", "list")
    assert [one["username"] for one in listed] == ["ani", "budi"]
    assert "pin_hash" not in listed[0]
    central = state.open_central(shell.home, shell.url)
    try:
        from sqlalchemy import select

        from sync.central.models import officer

        with central.database.read() as connection:
            hashed = connection.execute(
                select(officer.c.pin_hash).where(officer.c.username == "budi")
            ).scalar_one()
        assert pin_holds(hashed, "719305", "budi", central.keys.pepper)
    finally:
        central.close()
    monkeypatch.setattr(sys, "stdin", io.StringIO("719305\n"))
    assert shell("officer", "set-pin", "nobody", code=1)["code"] == "unknown_officer"


def test_an_import_says_every_mistake_and_imports_nothing(shell: Shell) -> None:
    shell("init", "--mode", "demonstration")
    path = shell.home / "broken.json"
    body = json.loads(to_json(city()))
    body["holders"][0]["nik"] = "12"
    body["entitlements"][1]["quantity"] = -1
    path.write_text(json.dumps(body))
    refused = shell("import", str(path), code=1)
    assert refused["code"] == "import_refused"
    assert len(refused["mistakes"]) >= 2
    assert "12" not in json.dumps([one["message"] for one in refused["mistakes"]])
    assert shell("status")["holders"] == 0
    assert shell("import", str(shell.home / "missing.json"), code=1)["code"] == "file_unreadable"


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["nonsense"], [], ["card"], ["serve", "--port", "x"], ["init", "--mode", "party"]):
        assert main(words) == 2
    assert main(["--help"]) == 0
    capsys.readouterr()


def test_words_for_people_too(shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell("init", "--mode", "demonstration")
    common = ["--home", str(shell.home), "--database", shell.url]
    assert main(["status", *common]) == 0
    assert "mode: demonstration" in capsys.readouterr().out
    assert main(["right", "show", "h1/x/2026", *common]) == 1
    assert capsys.readouterr().err.startswith("unknown_right: ")


def test_times_are_told_as_times(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell("init", "--mode", "demonstration")
    imported(shell)
    assert main(["kiosk", "list", "--home", str(shell.home), "--database", shell.url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "seen_at: " in lines  # never
    assert telling.as_text({"seen_at": 1795489555, "wall": 1795489555999, "done_at": None, "n_at": True}) == (
        "seen_at: 2026-11-24 10:05:55\nwall: 2026-11-24 10:05:55\ndone_at: \nn_at: True\n"
    )
    assert telling.as_text([{"from": 1795489555, "since": 0}]).split() == [
        "from:", "2026-11-24", "10:05:55", "since:", telling.NO_TIME,
    ]  # fmt: skip
    assert telling.as_text([]) == "none"


def test_an_answer_that_nobody_reads_is_no_bug(shell: Shell) -> None:
    shell("init", "--mode", "demonstration")
    command = [sys.executable, "-m", "sync.central.cli", "status"]
    command += ["--home", str(shell.home), "--database", shell.url]
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (1, "kmc-central: nobody reads the answer\n")


async def test_served_over_a_socket(shell: Shell) -> None:
    shell("init", "--mode", "demonstration")
    imported(shell)
    with served(shell) as url:
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            central = state.open_central(shell.home, shell.url)
            try:
                kiosk = await PlainKiosk(http, Clock(time.time())).enrol_unsealed(central, "AAA1")
            finally:
                central.close()
            kiosk.note()
            response = await kiosk.send("POST", "/v1/journal", kiosk.body(1))
            assert response.json()["acked_seq"] == 1
            response = await kiosk.send("GET", "/v1/changes")
            assert response.headers["content-encoding"] in ("zstd", "gzip")
            assert "city" in [part["bucket"] for part in response.json()["parts"]]
            refused = await http.post("/v1/poll", content=b"<html>")
            assert refused.json()["code"] == "signature_missing"
    assert [one["type"] for one in shell("journal", "list", "--kiosk", "AAA1")] == ["note"]


def test_a_taken_port_is_named(shell: Shell) -> None:
    shell("init", "--mode", "demonstration")
    with served(shell) as url:
        port = url.rsplit(":", 1)[1]
        assert shell("serve", "--port", port, code=1)["code"] == "port_taken"


def imported(shell: Shell) -> None:
    """The tests' city, by the command."""
    path = shell.home / "city.json"
    path.write_text(to_json(city()))
    shell("import", str(path))


@contextmanager
def served(shell: Shell) -> Iterator[str]:
    """``kmc-central serve`` as a process of its own; it must end by itself on SIGTERM."""
    words = ("serve", "--port", "0", "--json", "--home", str(shell.home), "--database", shell.url)
    program = "import sys; from sync.central.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = json.loads(process.stdout.readline())
            assert line["event"] == "listening"
            yield line["url"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
        finally:
            if process.poll() is None:
                process.kill()
