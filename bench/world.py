"""The kiosk's home that is measured: enrolled by the product's own commands, its cache filled by the bulk.

It is built once for each shape of the tables, size and month, and used again. What a run records is undone
before the next one: the ledger is put back as it was built.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bench.city import LEAST_HOLDERS, City
from bench.programs import ZONE, documents
from kiosk import grant as grants
from kiosk.demonstration import KIOSK, Demonstration
from kiosk.feed_rows import COLUMNS, row_hashes
from kiosk.grant import Grant, Term
from kiosk.home import Home
from kiosk.ledger import LEDGER_FILE
from kiosk.officer_pin import hash_pin
from kiosk.rights import GrantOutcome, take_in
from kiosk.virtual_readers import cards_file
from sync.central.import_format import Chip

RECIPE: Final = 1
"""Raised when this file or ``city`` builds another world."""
ROOT: Final = Path(__file__).resolve().parents[1] / "build" / "bench"
OFFICER, PIN = "bench", "482913"
GRANTS_AT_ONCE: Final = 500
ROWS_AT_ONCE: Final = 20_000
CHIPS: Final[tuple[Chip, ...]] = ("NTAG215", "FeliCa", "DESFire")
_FACTS = "world.json"


@dataclass(frozen=True, slots=True)
class World:
    """A built home with what is known of it."""

    folder: Path
    facts: dict[str, Any]
    city: City

    @property
    def home(self) -> Path:
        """The kiosk's data folder."""
        return self.folder / "kiosk"

    @property
    def demonstration(self) -> Demonstration:
        """The central that enrolled the kiosk."""
        return Demonstration(self.folder)

    def one_program(self) -> list[str]:
        """Card numbers of holders with exactly one program."""
        return [self.city.card_no(holder) for holder in self.city.one_program]

    def many_programs(self) -> list[str]:
        """Card numbers of holders with exactly fourteen programs."""
        return [self.city.card_no(holder) for holder in self.city.many_programs]

    def put_back(self) -> None:
        """Makes the ledger as it was built; nothing of the kiosk may run."""
        for path in self.home.glob(f"{LEDGER_FILE}*"):
            path.unlink()
        shutil.copyfile(self.folder / LEDGER_FILE, self.home / LEDGER_FILE)
        (self.home / LEDGER_FILE).chmod(0o600)
        (self.home / "sync.json").unlink(missing_ok=True)


def world(holders: int) -> World:
    """The world of that size for this month: the one there is, else a new one in the place of all others.

    Raises ValueError for too few holders, EnvironmentFault when a command of the product fails.
    """
    if holders < LEAST_HOLDERS or holders % 4:
        raise ValueError(f"a city has a multiple of four holders, at least {LEAST_HOLDERS}")
    now = datetime.now(UTC)
    folder = ROOT / version_of(holders, now)
    if (folder / _FACTS).exists():
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        return World(folder, facts, City(holders, KIOSK, facts["point"], now))
    for other in ROOT.glob("world-*"):
        shutil.rmtree(other)
    return _build(folder, holders, now)


def version_of(holders: int, now: datetime) -> str:
    """Name of the folder of a world: rights hold for a month, and rows for one shape of the tables."""
    columns = {kind: list(names) for kind, names in COLUMNS.items()}
    shape = json.dumps([RECIPE, holders, f"{now:%Y-%m}", columns, documents()])
    return f"world-{hashlib.sha256(shape.encode()).hexdigest()[:10]}"


def _build(folder: Path, holders: int, now: datetime) -> World:
    begun = time.monotonic()
    folder.mkdir(parents=True)
    home = folder / "kiosk"
    with contextlib.redirect_stdout(sys.stderr):
        print(f"building a city of {holders} holders in {folder} (once) ...", flush=True)
        demonstration = Demonstration(folder)
        demonstration.set_up_central()
        with demonstration.central_running() as url:
            ticket = demonstration.central("kiosk", "ticket", KIOSK)["ticket"]
            demonstration.kiosk("enrol", ticket, "--central", url)
    opened = Home(home)
    city = City(holders, KIOSK, opened.bundle.enrolment.point, now)
    counts = _fill_cache(opened, city)
    counts["rights held"] = _take_in_rights(opened, city, demonstration)
    _lay_out_cards(home, city, demonstration)
    shutil.copyfile(home / LEDGER_FILE, folder / LEDGER_FILE)
    facts = {
        "point": city.point,
        "holders": holders,
        "rows": counts,
        "built_s": round(time.monotonic() - begun, 1),
        "cache_mb": round(opened.caches().current().path.stat().st_size / 1e6, 1),
        "ledger_mb": round((home / LEDGER_FILE).stat().st_size / 1e6, 1),
    }
    (folder / _FACTS).write_text(json.dumps(facts, indent=2), encoding="utf-8")
    return World(folder, facts, city)


def _fill_cache(home: Home, city: City) -> dict[str, int]:
    folder = home.caches()
    pins = {OFFICER: hash_pin(PIN, OFFICER, home.keys.officer_pepper)}
    counts: dict[str, int] = {}
    with folder.loading():
        number, cache = folder.create()
        connection = cache.db.conn
        sums: dict[str, int] = {}
        # A file that nobody else has yet: no journal to fall back on, and room for the indexes in memory.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -400000")
        connection.execute("BEGIN")
        for kind, columns in COLUMNS.items():
            names = ", ".join(f'"{name}"' for name in columns)
            marks = ", ".join("?" * (len(columns) + 2))
            insert = f'INSERT INTO "{kind}" ({names}, bucket, row_hash) VALUES ({marks})'
            counts[kind] = 0
            rows = city.rows(kind, pins)
            while lot := list(islice(rows, ROWS_AT_ONCE)):
                values = [row for _, row in lot]
                hashes = row_hashes(kind, list(zip(*values, strict=True)))
                for (bucket, _), hashed in zip(lot, hashes, strict=True):
                    sums[bucket] = sums.get(bucket, 0) + hashed
                connection.executemany(
                    insert,
                    [(*row, bucket, hashed) for (bucket, row), hashed in zip(lot, hashes, strict=True)],
                )
                counts[kind] += len(lot)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        cache.set_meta(
            synced_at=city.now.isoformat(timespec="seconds"),
            **{f"sum:{bucket}": str(total % 2**64) for bucket, total in sums.items()},
        )
        cache.close()
        folder.make_current(number)
    folder.close()
    return counts


def _take_in_rights(home: Home, city: City, demonstration: Demonstration) -> int:
    from sync.central.state import load_keys

    central = load_keys(demonstration.central_home).central
    enrolled = home.bundle.enrolment
    ledger = home.ledger()
    batch: list[tuple[Grant, bytes]] = []
    count = 0

    def take() -> int:
        outcomes = take_in(ledger, batch, kiosk=enrolled.kiosk, gen=enrolled.gen)
        wrong = [outcome for outcome in outcomes if outcome is not GrantOutcome.TAKEN_IN]
        if wrong:
            raise ValueError(f"{len(wrong)} grants were not taken in: {wrong[0]}")
        batch.clear()
        return len(outcomes)

    for one in city.entitled():
        if not city.is_held_here(one):
            continue
        program = city.programs[one.program]
        current = city.periods[one.program]
        made = Grant(
            right=city.right_of(one),
            kiosk=enrolled.kiosk,
            gen=enrolled.gen,
            epoch=(enrolled.incarnation, 1),
            quantity_left=one.quantity,
            terms=(Term(program.id, program.version, one.id, 1, one.quantity),),
            not_before=max(0, int(current.start.timestamp())),
            not_after=int(current.end.timestamp()),
            mode=program.mode,
            upto_seq=0,
        )
        data = grants.make(made, central.private, central.kid)
        batch.append((grants.open_grant(data, home.keyset()), data))
        if len(batch) == GRANTS_AT_ONCE:
            count += take()
    count += take()
    # The copy that is put back has to be whole in one file.
    ledger.db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    ledger.close()
    return count


def _lay_out_cards(home: Path, city: City, demonstration: Demonstration) -> None:
    from sync.central.card_issue import VirtualCard, day_seconds, issue_card, virtual_uid, write_cards
    from sync.central.state import load_keys

    issuer = load_keys(demonstration.central_home).issuer
    today = city.now.date()
    issued, until = day_seconds(today.replace(day=1), ZONE), day_seconds(today + timedelta(days=730), ZONE)
    cards = []
    for place, holder in enumerate((*city.one_program, *city.many_programs)):
        chip = CHIPS[place % len(CHIPS)]
        card_no = city.card_no(holder)
        uid = virtual_uid(card_no, 1, chip)
        made = issue_card(issuer.private, issuer.kid, card_no, 1, uid, chip, issued, until)
        cards.append(VirtualCard(card_no, "", city.name(holder), chip, uid, made.nfc, made.qr))
    write_cards(cards_file(home), cards)
