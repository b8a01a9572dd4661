"""Makes a machine one of the city's kiosks, on a one-time ticket."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from kiosk import enrolment
from kiosk.enrolment import Enrolment
from kiosk.errors import CentralFault
from kiosk.journal_format import ZERO_HASH
from sync.central import key_admin, kiosk_rows, rights, settings
from sync.central.feed import FeedChanges
from sync.central.models import kiosk, kiosk_gen, point, ticket
from sync.central.right_rows import ACTIVE
from sync.central.state import Central
from sync.wire import EnrolAnswer, EnrolRequest, from_base64


class _Place(NamedTuple):
    kiosk: str
    gen: int
    point: int
    counter: str
    point_name: str
    enrolled_at: int
    keyset: bytes


def enrol(central: Central, request: EnrolRequest) -> EnrolAnswer:
    """Enrols the machine that holds ``request.public``; its signature has been checked.

    Each enrolment is a new generation: what older ones hold goes in doubt. The same ticket with the same key
    answers the same again, since an answer may be lost. Raises CentralFault ``ticket_malformed``,
    ``ticket_foreign``, ``ticket_unknown``, ``ticket_expired``, ``ticket_used``, ``key_used``.
    """
    try:
        code = enrolment.normalise_ticket(request.ticket)
    except ValueError:
        raise CentralFault("ticket_malformed", "not an enrolment ticket") from None
    root = key_admin.signing_root(central)
    if not enrolment.ticket_fingerprint_holds(code, root):
        raise CentralFault(
            "ticket_foreign", "the ticket was made by another central, or for another root key"
        )
    hashed = kiosk_rows.ticket_hash(code)
    found = central.database.write(partial(_enrol, hashed, request.public, central.now()))
    document = Enrolment(
        kiosk=found.kiosk,
        gen=found.gen,
        mode=central.mode,
        point=found.point,
        public=request.public,
        issued=found.enrolled_at,
        incarnation=central.incarnation,
    )
    keys = central.keys
    signed = enrolment.make(document, keys.central.private, keys.central.kid)
    central.outside.keep_enrolment(signed, hashed)
    return EnrolAnswer(
        enrolment=signed,
        keyset=found.keyset,
        roots=sorted(keys.roots, key=lambda one: one != root),
        central_kid=keys.central.kid,
        pepper=keys.pepper,
        settings={"point": found.point_name, "counter": found.counter},
    )


def _enrol(hashed: bytes, public: bytes, now: int, connection: Connection) -> _Place:
    row = connection.execute(select(ticket).where(ticket.c.hash == hashed)).first()
    if row is None:
        raise CentralFault("ticket_unknown", "no such ticket")
    gen = row.used_gen
    if gen is None:
        gen = _new_generation(connection, row.kiosk, hashed, public, now, row.expires_at)
    return _place_of(connection, row.kiosk, gen, public)


def _new_generation(
    connection: Connection, kiosk_id: str, hashed: bytes, public: bytes, now: int, expires_at: int
) -> int:
    if now >= expires_at:
        raise CentralFault("ticket_expired", "the ticket is too old")
    if connection.execute(select(kiosk_gen.c.kiosk).where(kiosk_gen.c.public == public)).first():
        raise CentralFault("key_used", "a generation begins with a new key")
    raised = update(kiosk).where(kiosk.c.id == kiosk_id)
    raised = raised.values(gen=kiosk.c.gen + 1, state=ACTIVE, frozen_why="")
    gen = int(connection.execute(raised.returning(kiosk.c.gen)).scalar_one())
    connection.execute(
        update(kiosk_gen)
        .where(kiosk_gen.c.kiosk == kiosk_id, kiosk_gen.c.state == "active")
        .values(state="retired")
    )
    rights.put_in_doubt(connection, kiosk_id)
    connection.execute(
        insert(kiosk_gen).values(
            kiosk=kiosk_id,
            gen=gen,
            public=public,
            enrolled_at=now,
            state="active",
            acked_seq=0,
            head=ZERO_HASH,
            ticket_hash=hashed,
        )
    )
    connection.execute(update(ticket).where(ticket.c.hash == hashed).values(used_gen=gen))
    changes = FeedChanges()
    kiosk_rows.tell(connection, changes, kiosk_id)
    changes.write(connection)
    return gen


def _place_of(connection: Connection, kiosk_id: str, gen: int, public: bytes) -> _Place:
    row = connection.execute(
        select(kiosk.c.point_id, kiosk.c.counter, kiosk_gen.c.enrolled_at, kiosk_gen.c.public, kiosk.c.gen)
        .select_from(kiosk.join(kiosk_gen, kiosk_gen.c.kiosk == kiosk.c.id))
        .where(kiosk.c.id == kiosk_id, kiosk_gen.c.gen == gen)
    ).one()
    if bytes(row.public) != public or row.gen != gen:
        raise CentralFault("ticket_used", "the ticket was used already")
    name = connection.execute(select(point.c.name).where(point.c.id == row.point_id)).scalar() or ""
    keyset = from_base64(settings.get(connection, "keyset"))
    return _Place(kiosk_id, gen, row.point_id, row.counter, name, row.enrolled_at, keyset)
