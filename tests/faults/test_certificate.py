"""Central's certificate is out of date, of somebody else, or of nobody: nothing is sent, nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.town import CHECK, MOTHER, RICE, Town
from tests.faults.bad_line import bad_line
from tests.faults.certificates import DAY, Authority
from tests.faults.counter_work import pick_up
from tests.faults.counting import HandOuts, agree

pytestmark = pytest.mark.slow


def test_certificates(town: Town, tmp_path: Path) -> None:
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    town.start_central()
    now = datetime.now(UTC)
    ours, other = Authority(tmp_path), Authority(tmp_path, "other")
    good = ours.server("good", begins=now - DAY / 2)
    bad = {
        "expired": ours.server("expired", begins=now - 1.5 * DAY),
        "not valid yet": ours.server("early", begins=now + DAY),
        "of another host": ours.server("elsewhere", begins=now - DAY / 2, host="central.example"),
        "of an unknown authority": other.server("stranger", begins=now - DAY / 2),
    }
    trusting = {"KMC_CENTRAL__CA_FILE": str(ours.ca_file)}
    pick_up(kiosk, handed, MOTHER, CHECK)
    for name, context in bad.items():
        with bad_line(lambda: town.url, context) as line:
            kiosk.url = line.url
            outcome = kiosk.run("sync", "--once", env=trusting)
        assert (outcome.code, outcome.fault) == (1, "central_certificate"), name
        assert outcome.answer["message"]
        assert line.requests == 0, "something was sent"
    assert kiosk.status()["frozen"] == ""
    pick_up(kiosk, handed, MOTHER, RICE)
    with bad_line(lambda: town.url, good) as line:
        kiosk.url = line.url
        assert kiosk.run("sync", "--once", env=trusting).answer["waiting"] == 0
    agree("certificate: expired, early, of another host, unknown", len(bad), handed, town)
