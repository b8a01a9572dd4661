"""A production city: what belongs to demonstrations is refused, and showing a card needs an officer."""

from __future__ import annotations

import functools
import json
import os
import pty
import select
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sync.central.demo_data import generate
from sync.central.import_format import ImportDocument, to_json
from tests.e2e.town import CHECK, CHILD, KIOSK, MOTHER, RICE, ROOT, KioskAt, Outcome, Town

pytestmark = pytest.mark.slow

PIN = "640281"
UID = "04a1b2c3d4e5f6"
FAMILIES = {1, 2, 3}


@functools.cache
def generated(today: date) -> ImportDocument:
    """The demonstration's whole document."""
    return generate(2021, today)


def small_document(mode: str = "production", region: str = "00") -> ImportDocument:
    """Three families of the generated people with their programs, without cards and officers.

    A production document takes no number of region 99, and ours may be nobody's: region 00 is not either.
    """
    whole = generated(datetime.now(ZoneInfo("Asia/Jakarta")).date())
    holders = tuple(
        one.model_copy(update={"nik": region + one.nik[2:]})
        for one in whole.holders
        if one.family_id in FAMILIES
    )
    ids = {one.id for one in holders}
    subjects = {f"h{number}" for number in ids} | {f"f{number}" for number in FAMILIES}
    return whole.model_copy(
        update={
            "mode": mode,
            "families": tuple(
                one.model_copy(update={"kk": region + one.kk[2:]})
                for one in whole.families
                if one.id in FAMILIES
            ),
            "holders": holders,
            "guardians": tuple(g for g in whole.guardians if {g.child_id, g.guardian_id} <= ids),
            "entitlements": tuple(one for one in whole.entitlements if one.subject in subjects),
            "officers": (),
            "cards": (),
        }
    )


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A production central that runs, with one enrolled kiosk and an officer."""
    town = Town(tmp_path_factory.mktemp("production"))
    assert town.central("init", "--mode", "production").answer["mode"] == "production"
    document = town.home / "document.json"
    document.write_text(to_json(small_document()), encoding="utf-8")
    code, told = town.central("import", str(document))
    assert code == 0, told
    assert (told["families"], told["kiosks"]) == (3, 3)
    until = (datetime.now(ZoneInfo("Asia/Jakarta")) + timedelta(days=90)).date().isoformat()
    words = ("officer", "add", "wati", "--name", "Wati", "--point", "10", "--until", until)
    assert town.central(*words, given=PIN + "\n").code == 0
    town.start_central()
    town.enrol("IRM1")
    yield town
    town.close()


@pytest.fixture(scope="module")
def card(city: Town) -> dict[str, Any]:
    """The mother's card, issued by central for a chip."""
    words = ("card", "issue", "1", "--uid", UID)
    assert city.central(*words).fault == "account_needed"
    key = city.home / "tono.key"
    assert city.central("account", "add", "tono", "--key-file", str(key)).code == 0
    code, made = city.central(*words, "--account", "tono", "--key-file", str(key))
    assert (code, made["card_no"]) == (0, MOTHER)
    assert city.kiosk("IRM1").sync().code == 0
    return made


def typing_the_pin(kiosk: KioskAt, *words: str) -> Outcome:
    """Runs a command at a terminal and types the PIN when it is asked for."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*KIOSK, *words, "--json"],
        env=kiosk.environment(),
        cwd=ROOT,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        assert process.stderr is not None
        assert process.stdout is not None
        asked = b""
        while b"PIN of" not in asked:
            ready, _, _ = select.select([process.stderr], [], [], 30)
            part = os.read(process.stderr.fileno(), 1000) if ready else b""
            assert part, asked
            asked += part
        os.write(ours, PIN.encode() + b"\n")
        answer = json.loads(process.stdout.read().splitlines()[-1])
        code = process.wait(timeout=30)
        assert PIN.encode() not in process.stderr.read()
    os.close(ours)
    return Outcome(code, answer)


def test_virtual_hardware_is_refused(city: Town) -> None:
    for words in (
        ["tap", MOTHER],
        ["show-qr", MOTHER],
        ["cards"],
        ["virtual"],
        ["read", "nfc", "--once", "--device", "udp:127.0.0.1:9"],
    ):
        outcome = city.kiosk("IRM1").run(*words)
        assert (outcome.code, outcome.fault, outcome.answer["family"]) == (1, "not_in_production", "officer")


def test_a_pin_in_the_environment_is_refused(city: Town, card: dict[str, Any]) -> None:
    kiosk = city.kiosk("IRM1")
    before = len(kiosk.records())
    words = ["--payload", card["nfc"], "--uid", UID, "--program", CHECK, "--officer", "wati"]
    outcome = kiosk.run("confirm", *words, env={"KMC_OFFICER_PIN": PIN})
    assert (outcome.code, outcome.fault) == (1, "not_in_production")
    assert kiosk.run("confirm", *words).fault == "no_pin"
    assert len(kiosk.records()) == before


def test_demonstration_data_is_refused(city: Town, tmp_path: Path) -> None:
    outcome = city.central("demo")
    assert (outcome.code, outcome.fault) == (1, "not_in_production")
    document = small_document("demonstration", "99")
    file = tmp_path / "document.json"
    file.write_text(to_json(document), encoding="utf-8")
    outcome = city.central("import", str(file))
    assert (outcome.code, outcome.fault) == (1, "wrong_mode")
    with_pins = generated(document.issued).officers
    file.write_text(to_json(small_document().model_copy(update={"officers": with_pins})), encoding="utf-8")
    outcome = city.central("import", str(file))
    assert (outcome.code, outcome.fault) == (1, "import_refused")
    assert {one["where"].split("[")[0] for one in outcome.answer["mistakes"]} == {"officers"}
    assert city.central("init", "--mode", "demonstration").fault == "mode_fixed"
    file.write_text(to_json(small_document(region="99")), encoding="utf-8")
    outcome = city.central("import", str(file))
    assert (outcome.code, outcome.fault) == (1, "import_refused")
    assert {one["code"] for one in outcome.answer["mistakes"]} == {"region"}
    assert [one["username"] for one in city.central("officer", "list").answer["list"]] == ["wati"]


def test_the_api_describes_itself_to_nobody(city: Town) -> None:
    for path in ("/openapi.json", "/docs", "/redoc"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(city.url + path, timeout=10)
    with urllib.request.urlopen(city.url + "/v1/health", timeout=10) as answer:
        assert json.load(answer)["ok"] is True


def test_showing_a_card_needs_an_officer_and_masks(city: Town, card: dict[str, Any]) -> None:
    kiosk = city.kiosk("IRM1")
    words = ("show", card["nfc"], "--uid", UID)
    assert kiosk.run(*words).fault == "not_signed_in"
    code, shown = typing_the_pin(kiosk, *words, "--officer", "wati")
    assert code == 0, shown
    assert (shown["name"], shown["nik_last4"], shown["grade"]) == ("WULAN R•••••", "", "p1")
    assert {row["program"] for row in shown["programs"]} == {CHECK, RICE}
    assert not kiosk.run("show", "--card", CHILD).answer.get("programs")
    assert kiosk.records()[-1]["type"] == "sign_in"


def test_a_pickup_in_production(city: Town, card: dict[str, Any]) -> None:
    """By the chip, with a PIN that is typed; it stands at central once."""
    kiosk = city.kiosk("IRM1")
    words = ("--payload", card["nfc"], "--uid", UID, "--program", CHECK, "--officer", "wati")
    code, pickup = typing_the_pin(kiosk, "confirm", *words)
    assert code == 0, pickup
    assert kiosk.sync().answer["waiting"] == 0
    assert city.pickups_at_central() == [pickup["ref"]]
    status = kiosk.status()
    assert (status["mode"], status["unshown"]) == ("production", [])
