"""A genuine card is asked whether it is still the holder's, and the holder whether he may be served."""

from __future__ import annotations

import pytest

from kiosk import credential
from kiosk.credential import VerifiedCard
from kiosk.errors import CardFault
from kiosk.values import Grade, Medium

CARD = VerifiedCard("KMC-000123", 3, Grade.P1, Medium.NFC, 1, 2, b"i-now")


@pytest.mark.parametrize(
    ("active", "seen", "denied", "status", "code"),
    [
        pytest.param(3, 0, None, "active", None, id="the active issue, first seen"),
        pytest.param(3, 3, None, "active", None, id="the active issue, seen before"),
        pytest.param(2, 2, None, "active", None, id="newer than the cache knows"),
        pytest.param(4, 0, None, "active", "card_superseded", id="the cache knows a newer one"),
        pytest.param(3, 4, None, "active", "card_superseded", id="a newer one was seen here, offline"),
        pytest.param(None, 4, None, None, "card_superseded", id="a newer one seen of a holder unknown here"),
        pytest.param(4, 4, "lost", "blocked", "card_superseded", id="superseded comes first"),
        pytest.param(3, 3, None, "blocked", "card_blocked", id="blocked"),
        pytest.param(3, 3, None, "deceased", "card_deceased", id="deceased"),
        pytest.param(3, 3, "lost", "blocked", "card_blocked", id="status before the deny list"),
        pytest.param(3, 3, "lost", "active", "card_lost", id="lost"),
        pytest.param(3, 3, "stolen", "active", "card_stolen", id="stolen"),
        pytest.param(3, 3, "replaced", "active", "card_replaced", id="replaced"),
        pytest.param(3, 3, "revoked", "active", "card_revoked", id="revoked"),
        pytest.param(3, 3, "deceased", "active", "card_deceased", id="denied as deceased"),
        pytest.param(None, 0, "stolen", None, "card_stolen", id="denied, of a holder unknown here"),
        pytest.param(None, 0, None, None, "card_unknown_holder", id="unknown"),
        pytest.param(3, 0, None, None, "card_unknown_holder", id="no status"),
        pytest.param(None, 0, None, "active", "card_unknown_holder", id="no active issue"),
        pytest.param(3, 3, "melted", "active", "card_revoked", id="a reason of a later version"),
        pytest.param(3, 3, "", "active", "card_revoked", id="a reason that is empty"),
        pytest.param(3, 3, None, "moved", "card_blocked", id="a status of a later version"),
        pytest.param(3, 3, None, "", "card_blocked", id="a status that is empty"),
    ],
)
def test_standing(
    active: int | None, seen: int, denied: str | None, status: str | None, code: str | None
) -> None:
    if code is None:
        credential.check_standing(CARD, active, seen, denied, status)
        return
    with pytest.raises(CardFault) as raised:
        credential.check_standing(CARD, active, seen, denied, status)
    assert raised.value.code == code


def test_an_older_card_that_was_stolen_tells_the_officer_so() -> None:
    with pytest.raises(CardFault) as raised:
        credential.check_standing(CARD, 4, 4, "stolen", "active")
    assert raised.value.detail == {"denied": "stolen"}


@pytest.mark.parametrize("since", ["2026-11-01", "2036-01-01"])
def test_a_denial_holds_whatever_its_date_and_tells_it(since: str) -> None:
    for active, code in ((3, "card_lost"), (4, "card_superseded")):
        with pytest.raises(CardFault) as raised:
            credential.check_standing(CARD, active, 3, "lost", "active", since)
        assert (raised.value.code, raised.value.detail["since"]) == (code, since)
    with pytest.raises(CardFault) as raised:
        credential.check_standing(CARD, 4, 3, None, "active", since)
    assert "since" not in raised.value.detail
