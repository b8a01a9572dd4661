"""Real commands: enrolled by a QR code before a camera, the key rolled, the city's keys changed, revoked."""

from __future__ import annotations

import pytest

from drivers.virtual.camera import VirtualCamera
from kiosk.enrolment import ticket_as_code
from tests.e2e.town import MOTHER, Town

pytestmark = pytest.mark.slow


def test_from_ticket_to_revocation(town: Town) -> None:
    town.start_central()
    ticket = town.central("kiosk", "ticket", "IRM1").answer["ticket"]
    kiosk = town.kiosk("IRM1")
    kiosk.home = town.home / "again"
    with VirtualCamera() as camera:
        camera.show(ticket_as_code(ticket))
        words = ("enrol", "--qr", "--device", camera.url, "--central", town.url)
        made = kiosk.run(*words)
        assert (made.code, made.answer["kiosk"], made.answer["generation"]) == (0, "IRM1", 2)
        # The same code again, by another machine: told apart from one that was never made.
        assert town.kiosk("thief").run(*words).fault == "ticket_used"
    assert town.kiosk("thief").run("enrol", "--central", town.url).fault == "ticket_missing"
    unknown = "AAAA-AAAA-AAAA-AAAA" + ticket[-9:]
    assert town.kiosk("thief").run("enrol", unknown, "--central", town.url).fault == "ticket_unknown"
    foreign = ticket[:-8] + "00000000"
    assert town.kiosk("thief").run("enrol", foreign, "--central", town.url).fault == "ticket_foreign"
    assert kiosk.sync().code == 0

    assert kiosk.run("key", "roll", "--officer", "rina", officer="rina").fault == "supervisor_needed"
    rolled = kiosk.run("key", "roll", "--officer", "sekar", officer="sekar")
    assert (rolled.code, len(rolled.answer["public"])) == (0, 64)
    assert kiosk.run("key", "roll", "--officer", "sekar", officer="sekar").fault == "key_roll_waiting"
    assert kiosk.sync().code == 0
    assert kiosk.verify().code == 0

    root = str(town.central_home / "keys" / "root2.key")
    listed = town.central("key", "list").answer["list"]
    old = next(row["kid"] for row in listed if row["use"] == "central" and row["signs"])
    assert town.central("key", "add", "--use", "central", "--root-key-file", root).code == 0
    assert town.central("key", "compromise", old, "--root-key-file", root).code == 0
    # The server that runs has changed over by itself, and the kiosk finds its way.
    assert kiosk.sync().code == 0
    assert kiosk.sync().code == 0

    assert town.central("kiosk", "revoke", "IRM1").code == 0
    assert kiosk.sync().fault == "kiosk_revoked"
    assert kiosk.status()["frozen"] == "kiosk_revoked"
    assert not list(kiosk.home.glob("cache.*.db"))
    assert kiosk.run("show", "--card", MOTHER).code == 1
