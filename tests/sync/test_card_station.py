"""``kmc-central card`` as people type it, with a real writing process on a virtual field."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.virtual.applet import desfire_like
from drivers.virtual.blank import blank_ntag
from drivers.virtual.ev2_chip import blank_ntag424
from drivers.virtual.field import VirtualField
from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import Mode
from sync.central import accounts, card_station, state
from sync.central.card_station import StationProcess
from sync.central.cli import main
from tests.sync.central_side import CARD_1, Clock, new_central

UID = bytes.fromhex("04A1B2C3D4E501")
Run = Callable[..., Any]


@pytest.fixture
def field() -> Iterator[VirtualField]:
    with VirtualField() as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A demonstration central with a small city."""
    made = tmp_path / "central"
    new_central(made, state.default_url(made), Clock()).close()
    return made


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with --json; answers what it printed."""

    def run(*words: object, code: int = 0) -> Any:
        url = state.default_url(home)
        found = main(["card", *map(str, words), "--json", "--home", str(home), "--database", url])
        out = capsys.readouterr().out
        assert found == code, out
        return json.loads(out)

    return run


def codes(told: dict[str, Any]) -> list[str]:
    """The codes of what ``verify`` found."""
    return [finding["code"] for finding in told.get("report", told)["findings"]]


@pytest.mark.slow
def test_a_card_from_the_list_to_the_hand(run: Run, tmp_path: Path, field: VirtualField) -> None:
    batch, names = tmp_path / "batch", tmp_path / "list.csv"
    names.write_text("holder_id\n1\n", encoding="utf-8")
    issued = run("issue", "--batch", batch, "--holders", names, "--chip", "NTAG215", "--lock", "permanent")
    assert issued["steps"] == {"issued": 1}
    assert run("issue", "--batch", batch)["steps"] == {"issued": 1}
    printed = run("print", "--batch", batch)
    assert printed["steps"] == {"printed": 1}
    assert Path(printed["files"][0]).read_bytes().startswith(b"%PDF")
    assert run("print", "--batch", batch)["files"] == []

    field.put(blank_ntag(UID, "NTAG216"))
    station = ("--device", field.path)
    told = run("write", "--batch", batch, *station, "--timeout", 3, code=1)
    assert (told["code"], told["report"]["faults"]) == ("batch_open", {"card_wrong_kind": 1})
    made = blank_ntag(UID)
    field.put(made)
    # The chip lies there: one card is written, and its being taken away is not waited for.
    written = run("write", "--batch", batch, *station, "--timeout", 20, "--limit", 1)
    assert (written["verified"], written["steps"]) == ([CARD_1], {"verified": 1})
    assert [act["act"] for act in run("history", CARD_1)] == [
        "issued", "printed", "bound", "written", "verified",
    ]  # fmt: skip
    assert run("batch", batch)["left"] == []

    good = run("verify", *station)
    assert (good["good"], good["card_no"], good["uid"], codes(good)) == (True, CARD_1, UID.hex(), [])
    copy = blank_ntag(bytes.fromhex("04A1B2C3D4E502"))
    copy.memory = copy.memory[:16] + made.memory[16:400] + copy.memory[400:]
    field.put(copy)
    told = run("verify", *station, code=1)
    assert codes(told) == ["card_wrong_chip", "card_other_uid", "not_locked"]
    assert (run("revoke", CARD_1, "--reason", "stolen")["revoked"]) == 1
    told = run("verify", *station, code=1)
    assert codes(told) == ["card_wrong_chip", "card_stolen", "card_other_uid", "not_locked"]
    field.put(blank_ntag(UID))
    assert codes(run("verify", *station, code=1)) == ["card_empty", "not_locked"]
    assert run("replace", CARD_1, "--reason", "stolen", "--unbound")["uid"] == ""
    one = run("write", "--card-no", CARD_1, *station)
    assert (one["card_no"], one["issue_no"], one["uid"]) == (CARD_1, 2, UID.hex())
    assert run("write", "--card-no", CARD_1, "--device", "udp:nowhere", code=1)["code"] == "reader_missing"
    assert codes(run("verify", *station)) == ["not_locked"]


def test_a_printed_code_is_judged_too(run: Run, tmp_path: Path) -> None:
    made = run("issue", 1, "--uid", UID.hex())
    assert codes(run("verify", "--qr", made["qr"])) == []
    run("replace", CARD_1, "--reason", "lost", "--uid", "04A1B2C3D4E502")
    assert codes(run("verify", "--qr", made["qr"], code=1)) == ["card_superseded", "card_lost"]
    assert codes(run("verify", "--qr", made["qr"][:-8], code=1)) == ["card_malformed"]
    assert codes(run("verify", "--qr", "https://example.org", code=1)) == ["card_foreign"]
    face = tmp_path / "face.pdf"
    assert run("print", CARD_1, "--file", face, "--layout", "card")["cards"] == 1
    assert face.stat().st_mode & 0o777 == 0o600
    assert run("print", "0000000000", "--file", face, code=1)["code"] == "unknown_card"
    for wrong in (("print", CARD_1), ("print",), ("issue",), ("issue", 1, "--batch", tmp_path / "batch")):
        with pytest.raises(SystemExit) as caught:
            run(*wrong)
        assert caught.value.code == 2
    assert run("issue", 2, "--chip", "NTAG215", "--grade", "p2", code=1)["code"] == "card_refused"
    assert run("batch", tmp_path / "none", code=1)["code"] == "unknown_batch"


def test_names_on_the_face_are_settings(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("issue", 1, "--uid", UID.hex())

    def face() -> bytes:
        run("print", CARD_1, "--file", tmp_path / "face.pdf")
        return (tmp_path / "face.pdf").read_bytes()

    before = face()
    (home / "kiosk.toml").write_text('[branding]\ncity = "Kota Metro"\n', encoding="utf-8")
    after = face()
    assert after != before
    monkeypatch.setenv("KMC_BRANDING__CITY", "Metro")
    assert face() == before
    (home / "kiosk.toml").write_text('[branding]\ncity = ""\n', encoding="utf-8")
    assert run("print", CARD_1, "--file", tmp_path / "face.pdf")["cards"] == 1
    (home / "kiosk.toml").write_text("nonsense", encoding="utf-8")
    assert run("print", CARD_1, "--file", tmp_path / "face.pdf", code=1)["code"] == "settings_wrong"


@pytest.mark.slow
def test_a_chip_that_proves_itself(run: Run, tmp_path: Path, field: VirtualField) -> None:
    keys = run("make-keys", tmp_path / "keys")
    assert run("make-keys", tmp_path / "keys", code=1)["code"] == "key_file_exists"
    assert {Path(path).stat().st_mode & 0o777 for path in keys.values()} == {0o400}
    batch = tmp_path / "batch"
    words = ("--all-without-card", "--limit", 1, "--chip", "NTAG424", "--grade", "p2")
    run("issue", "--batch", batch, *words)
    station = ("--device", field.path, "--card-key-file", keys["card_key_file"])
    assert run("write", "--batch", batch, *station, code=1)["code"] == "card_key_missing"
    field.put(desfire_like(UID, blank_ntag424(UID)))
    master = ("--master-key-file", keys["master_key_file"], "--limit", 1, "--timeout", 20)
    assert run("write", "--batch", batch, *station, *master)["verified"] == [CARD_1]
    assert codes(run("verify", *station)) == []
    assert codes(run("verify", "--device", field.path)) == ["not_challenged"]

    later = run("make-keys", tmp_path / "keys-2")
    change = ("--keys", tmp_path / "keys-2", "--device", field.path)
    assert run("rekey", *change, "--old-keys", tmp_path / "keys-2", code=1)["code"] == "card_refused"
    assert run("rekey", *change, "--old-keys", tmp_path / "keys")["rekeyed"][0]["card_no"] == CARD_1
    after = ("--device", field.path, "--card-key-file", later["card_key_file"])
    assert codes(run("verify", *after)) == []
    assert run("verify", *station, code=1)["code"] == "card_proof_bad"


def test_production_signs_and_takes_no_virtual_reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "production"
    central = state.init(home, state.default_url(home), Mode.PRODUCTION)
    accounts.add(central, "tono", tmp_path / "tono.key")
    central.close()

    def code(*words: str) -> str:
        assert main(["card", *words, "--json", "--home", str(home)]) == 1
        return str(json.loads(capsys.readouterr().out)["code"])

    by = ("--account", "tono", "--key-file", str(tmp_path / "tono.key"))
    for words in (
        ("issue", "1", "--uid", UID.hex()),
        ("issue", "--batch", str(tmp_path / "batch"), "--all-without-card"),
        ("revoke", CARD_1),
        ("write", "--batch", str(tmp_path / "batch")),
        ("print", "--batch", str(tmp_path / "batch")),
    ):
        assert code(*words) == "account_needed"
        assert code(*words, "--account", "tono") == "account_needed"
        assert code(*words, *by) in ("unknown_holder", "nobody", "unknown_card", "unknown_batch")
    assert code("verify", "--device", "udp:127.0.0.1:9") == "not_in_production"


def _station(tmp_path: Path, program: str) -> StationProcess:
    """A station whose process is this program."""
    path = tmp_path / "station.py"
    path.write_text(program, encoding="utf-8")
    return StationProcess("", command=(sys.executable, str(path)))


READY = 'print(\'{"event":"ready"}\', flush=True)\n'


def test_a_station_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_station, "SILENT_S", 3.0)
    monkeypatch.setattr(card_station, "END_S", 0.2)

    def fault(program: str) -> str:
        with pytest.raises((EnvironmentFault, CardFault)) as caught, _station(tmp_path, program) as station:
            station.look()
        return caught.value.code

    assert fault("raise SystemExit(1)") == "reader_crashed"
    assert fault(READY + "raise SystemExit(1)") == "reader_crashed"
    assert fault(READY + "import time; time.sleep(60)") == "reader_hung"
    assert fault("print('rubbish', flush=True)\ninput()") == "reader_garbled"
    assert fault("print('x' * 100_000, flush=True)\ninput()") == "reader_garbled"
    assert (
        fault(READY + 'input(); print(\'{"event":"chip","uid":"0"}\', flush=True); input()')
        == "reader_garbled"
    )
    lifted = (
        '{"event":"fault","family":"card","code":"card_lifted","message":"m","detail":{"chip":"NTAG215"}}'
    )
    assert fault(READY + f"input(); print('{lifted}', flush=True); input()") == "card_lifted"
    with pytest.raises(EnvironmentFault, match="station_missing"), StationProcess("", command=("/none",)):
        pass
