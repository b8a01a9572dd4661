"""A small city and a plain kiosk for tests of central: the kiosk signs and chains, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import journal_format
from kiosk.grant import Grant, digest_of, open_grant
from kiosk.journal_format import ZERO_HASH, Record, encode, pickup_ref, record_hash, sign_record
from kiosk.keyset import KeySet, open_keyset
from kiosk.program import Program
from kiosk.values import Mode
from sync.central import importing, kiosk_rows, placement, state
from sync.central.identity_numbers import card_no_of
from sync.central.import_format import (
    Agency,
    Entitlement,
    Family,
    Guardian,
    Holder,
    ImportDocument,
    Kiosk,
    Officer,
    Point,
)
from sync.central.state import Central
from sync.signature import keyid_of, new_nonce, open_answer, sign_request
from sync.wire import ANSWER_HEADER, JournalAnswer, PollAnswer, RightAnswer, from_base64, to_base64
from tests.kiosk.program_document import document

START = 1_795_500_000
"""24 November 2026, 13:00 in Metro."""
CARD_1 = card_no_of(1)
RICE = "h1/beras/2026-11"
NEXT_RICE = "h1/beras/2026-12"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def program(program_id: str = "beras", **changes: Any) -> Program:
    """A monthly rice program for holders; ``changes`` are fields of its document."""
    common = {
        "name": {"id": "Beras", "en": "Rice"},
        "least_grade": "p1",
        "officer_check_lifts": True,
        "collectors": ["holder", "guardian"],
    }
    return Program.model_validate_json(json.dumps(document(program_id, **(common | changes))), strict=True)


def holder(number: int, point_id: int = 1, family_id: int = 1) -> Holder:
    """A generated holder; the lower the number, the older."""
    birth = date(1980 + number, 1, 1)
    return Holder(
        id=number,
        card_no=card_no_of(number),
        name=f"Holder {number}",
        sex="m",
        birth=birth,
        nik=f"9901010101{birth:%y}{number:04d}",
        family_id=family_id,
        point_id=point_id,
    )


def entitlement(number: int, subject: str, quantity: int = 10_000, **changes: Any) -> Entitlement:
    """An entitlement to rice."""
    return Entitlement.model_validate(
        {
            "id": number,
            "subject": subject,
            "program_id": "beras",
            "quantity": quantity,
            "valid_from": date(2026, 1, 1),
            **changes,
        }
    )


def city(**changes: Any) -> ImportDocument:
    """Two points; AAA1 keeps point 1, AAA2 is its second counter, BBB1 keeps point 2; three holders."""
    parts: dict[str, Any] = {
        "mode": "demonstration",
        "source": "tests",
        "issued": date(2026, 11, 24),
        "agencies": (Agency(id=1, name="Dinas Sosial", short="Dinsos"),),
        "points": (
            Point(id=1, name="Satu", district="Utara", kind="kelurahan"),
            Point(id=2, name="Dua", district="Timur", kind="kelurahan"),
        ),
        "kiosks": (
            Kiosk(id="AAA1", point_id=1, counter="Loket 1", keeper=True),
            Kiosk(id="AAA2", point_id=1, counter="Loket 2", keeper=False),
            Kiosk(id="BBB1", point_id=2, counter="Loket 1", keeper=True),
        ),
        "families": (Family(id=1, kk="9901010101010001"),),
        "holders": (holder(1), holder(2), holder(3, 2)),
        "guardians": (
            Guardian(id=1, child_id=2, guardian_id=1, relation="father", valid_from=date(2020, 1, 1)),
        ),
        "programs": (program(),),
        "entitlements": (entitlement(1, "h1"), entitlement(2, "h2"), entitlement(3, "h3")),
        "officers": (
            Officer(
                username="ani",
                name="Ani",
                role="officer",
                point_id=1,
                pin_hash="$argon2id$v=19$m=19456,t=6,p=1$c2FsdHNhbHQ$aGFzaA",
                valid_until=date(2027, 1, 1),
            ),
        ),
    }
    return ImportDocument(**(parts | changes))


def new_central(home: Path, url: str, clock: Clock) -> Central:
    """A demonstration central with the city in it."""
    central = state.init(home, url, Mode.DEMONSTRATION, clock)
    importing.apply(central, city())
    return central


@dataclass
class PlainKiosk:
    """What a kiosk is to central: a key, a chain of signed records, signed requests."""

    http: httpx.AsyncClient
    clock: Clock
    kiosk: str = ""
    gen: int = 1
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    keyset: KeySet = field(default_factory=lambda: KeySet(0, ()))
    chain: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Payload and signature of each record from 1."""
    last: httpx.Response | None = None

    async def enrol(self, central: Central, kiosk_id: str) -> PlainKiosk:
        """Enrols with a new ticket; rights of the point are placed by the next tick."""
        await self.enrol_unsealed(central, kiosk_id)
        assert self.last is not None
        self.check_seal(self.last)
        return self

    async def enrol_unsealed(self, central: Central, kiosk_id: str) -> PlainKiosk:
        """The same where central's time is not this kiosk's."""
        response = await self.enrol_with(kiosk_rows.new_ticket(central, kiosk_id))
        assert response.status_code == 200, response.text
        body = response.json()
        roots = (from_base64(body["roots"][0]), from_base64(body["roots"][1]))
        self.keyset = open_keyset(from_base64(body["keyset"]), roots)
        self.kiosk, self.gen = kiosk_id, _gen_of(body["enrolment"])
        return self

    async def enrol_with(self, ticket: str) -> httpx.Response:
        """The bare call."""
        return await self.send("POST", "/v1/enrol", {"ticket": ticket, "public": self.public()}, "enrol")

    def public(self) -> str:
        """The raw public key in Base64."""
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return to_base64(raw)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        keyid: str = "",
        *,
        nonce: str = "",
        created: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """A signed request; ``body`` is bytes, or JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        signed = sign_request(
            method,
            f"http://central{path}",
            data,
            self.key,
            keyid or keyid_of(self.kiosk, self.gen),
            nonce=nonce or new_nonce(),
            created=self.clock() if created is None else created,
        )
        sent = signed | {"Content-Type": "application/json"} | (headers or {})
        self.last = await self.http.request(method, path, content=data, headers=sent)
        return self.last

    def check_seal(self, response: httpx.Response) -> None:
        """Central signed this very answer to this very request."""
        nonce = response.request.headers["signature-input"].split('nonce="')[1].split('"')[0]
        seal = open_answer(
            response.headers[ANSWER_HEADER],
            self.keyset.central_key,
            nonce=nonce,
            status=response.status_code,
            body=response.content,
        )
        assert seal.time_ms == int(self.clock() * 1000)

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A signed request that must succeed; answers its JSON."""
        response = await self.send(method, path, body)
        assert response.status_code == 200, response.text
        self.check_seal(response)
        return response.json()

    def record(self, **fields: Any) -> Record:
        """Appends a record to the chain."""
        prev = record_hash(self.chain[-1][0]) if self.chain else ZERO_HASH
        made = Record(
            kiosk=self.kiosk,
            gen=self.gen,
            seq=len(self.chain) + 1,
            prev=prev,
            wall=int(self.clock() * 1000),
            **fields,
        )
        self.append(encode(made))
        return made

    def append(self, payload: bytes) -> None:
        """Appends any bytes, signed."""
        self.chain.append((payload, sign_record(payload, self.key)))

    def note(self) -> Record:
        """Appends a record without effect."""
        return self.record(type="note")

    def dispense(
        self, right: str = RICE, spends: int = 10_000, epoch: tuple[int, int] | None = (1, 1), **fields: Any
    ) -> str:
        """Appends a dispense; answers its reference."""
        made = self.record(
            **{
                "type": "dispense",
                "right": right,
                "quantity": spends,
                "epoch": epoch,
                "mode": "strict",
                "program_version": "beras@1",
                "officer": "ani",
                "card": CARD_1,
                "assurance": "p1",
                "detail": {"spends": spends, "entitlement": [1, 1], "collector": "holder", "checks": []},
            }
            | fields
        )
        return pickup_ref(made.kiosk, made.gen, made.seq)

    def void(self, ref: str, right: str = RICE, restores: int = 10_000, **fields: Any) -> Record:
        """Appends a void."""
        return self.record(
            type="void", right=right, ref=ref, detail={"goods": "never_left", "restores": restores}, **fields
        )

    def release(self, right: str = RICE, upto: tuple[int, int] = (1, 1)) -> Record:
        """Appends a release."""
        return self.record(type="release", right=right, epoch=upto, detail={"upto": list(upto)})

    def body(self, first: int, last: int | None = None, **changes: Any) -> dict[str, Any]:
        """A push of records ``first`` to ``last``."""
        some = self.chain[first - 1 : last]
        records = [{"record": to_base64(one), "signature": to_base64(two)} for one, two in some]
        return {"gen": self.gen, "from_seq": first, "records": records} | changes

    async def push(self, first: int = 1, last: int | None = None, **changes: Any) -> JournalAnswer:
        """Pushes records."""
        return JournalAnswer.model_validate(
            await self.ask("POST", "/v1/journal", self.body(first, last, **changes))
        )

    async def poll(self, **changes: Any) -> PollAnswer:
        """A poll that does not wait."""
        return PollAnswer.model_validate(await self.ask("POST", "/v1/poll", {"gen": self.gen} | changes))

    def holding(self, answer: PollAnswer) -> dict[str, Any]:
        """What a poll says of grants by a kiosk that took in just these."""
        held = [(one.right, one.epoch) for one in map(self.open, answer.grants)]
        return {"highest_grant_rev": answer.grant_rev, "grants_digest": digest_of(held)}

    async def acquire(self, *rights: str) -> list[RightAnswer]:
        """Asks for rights."""
        body = await self.ask("POST", "/v1/rights", {"rights": list(rights)})
        return [RightAnswer.model_validate(one) for one in body["answers"]]

    def open(self, data: bytes | None) -> Grant:
        """A grant, its signature checked."""
        assert data is not None
        return open_grant(data, self.keyset)

    def copy(self) -> PlainKiosk:
        """The same kiosk cloned: same key, its own chain from here on."""
        return replace(self, chain=list(self.chain))


def place(central: Central) -> int:
    """Runs placement now."""
    return placement.place(central)


def keys_of(records: Iterable[bytes]) -> Sequence[int]:
    """Sequence numbers of records."""
    return [journal_format.decode(one).seq for one in records]


def _gen_of(enrolment: str) -> int:
    from kiosk import cose

    return int(cose.decode(cose.parse(from_base64(enrolment)).payload)["gen"])
