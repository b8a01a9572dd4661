"""Fills a demonstration central once with generated people; says who can sign in and what can be tapped."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from kiosk.errors import OfficerFault
from kiosk.values import Mode
from sync.central import cards, importing, settings
from sync.central.card_issue import write_cards
from sync.central.demo_cards import demo_cards
from sync.central.demo_data import generate
from sync.central.import_checks import accept
from sync.central.import_format import to_json
from sync.central.state import Central

SEED: Final = 2021
CARDS_FILE: Final = "cards.jsonl"
_DAY: Final = "demo_day"


def fill(central: Central) -> dict[str, Any]:
    """Fills the data, unless that was done before, and writes the file of virtual cards.

    Raises OfficerFault ``not_in_production``.
    """
    if central.mode is not Mode.DEMONSTRATION:
        raise OfficerFault("not_in_production", "demonstration data has no place in a production central")
    with central.database.read() as connection:
        filled_on = settings.get(connection, _DAY)
    day = date.fromisoformat(filled_on) if filled_on else cards.today(central)
    document = generate(SEED, day)
    if not filled_on:
        importing.apply(central, accept(to_json(document)))
        central.database.write(lambda connection: settings.put(connection, **{_DAY: day.isoformat()}))
    issuer = central.keys.issuer
    path = central.home / CARDS_FILE
    written = write_cards(path, demo_cards(document, issuer.private, issuer.kid))
    return {
        "filled": not filled_on,
        "holders": len(document.holders),
        "programs": len(document.programs),
        "entitlements": len(document.entitlements),
        "cards": written,
        "cards_file": str(path),
        "officers": [
            {
                "username": one.username,
                "name": one.name,
                "role": one.role,
                "point_id": one.point_id,
                "pin": one.pin,
            }
            for one in document.officers
        ],
        "kiosks": [one.model_dump() for one in document.kiosks],
    }
