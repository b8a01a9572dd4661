"""Kiosks that are only a key and a chain, with their requests signed before a clock starts."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.errors import EnvironmentFault
from kiosk.journal_format import ZERO_HASH, Record, encode, record_hash, sign_record
from sync.signature import KeyFor, keyid_of, new_nonce, open_answer, sign_request
from sync.wire import ANSWER_HEADER, JournalAnswer, JournalRequest, SignedRecord

EPOCH: Final = (1, 1)
QUANTITY: Final = 10_000
GIVE_UP_S: Final = 60.0
MIX: Final = (
    "dispense", "dispense", "sign_in", "dispense", "dispense", "refusal", "dispense", "dispense", "release",
    "dispense",
)  # fmt: skip
"""Ten records of a day; seven hand out and one gives back, each of another right."""
EFFECTIVE: Final = sum(kind in ("dispense", "release") for kind in MIX)


@dataclass(frozen=True, slots=True)
class Prepared:
    """One push, ready to be sent, and what its answer has to acknowledge."""

    path: str
    body: bytes
    headers: dict[str, str]
    nonce: str
    upto: int
    head: bytes
    again: Callable[[], tuple[dict[str, str], str]] | None = None
    """Signs the same body anew."""


@dataclass(slots=True)
class LoadKiosk:
    """A kiosk as central sees it."""

    kiosk: str
    point: int
    first_holder: int
    """Its rights are those of this holder and the ones behind."""
    gen: int = 1
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    seq: int = 0
    head: bytes = ZERO_HASH
    holders: int = 0

    def public(self) -> bytes:
        """The raw public key."""
        return self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    def records(self, count: int) -> list[SignedRecord]:
        """The next records of its chain, mixed as on a day at a counter."""
        return [self._next() for _ in range(count)]

    def _next(self) -> SignedRecord:
        self.seq += 1
        kind = MIX[(self.seq - 1) % len(MIX)]
        fields: dict[str, Any] = {"officer": "ani", "boot_id": "6d3f9a52-0c1e-4b7a-9f52-1d2c3b4a5968"}
        if kind in ("dispense", "release"):
            fields["right"] = right_of(self.first_holder + self.holders)
            fields["epoch"] = EPOCH
            self.holders += 1
        if kind == "dispense":
            fields |= {
                "quantity": QUANTITY,
                "mode": "strict",
                "program_version": "beras@1",
                "card": "9900000000000017",
                "assurance": "p1",
                "collector_commitment": bytes(32),
                "detail": {
                    "spends": QUANTITY,
                    "entitlement": [self.first_holder + self.holders, 1],
                    "collector": "holder",
                    "checks": ["ktp"],
                },
            }
        elif kind == "release":
            fields["detail"] = {"upto": list(EPOCH)}
        elif kind == "refusal":
            fields["detail"] = {"code": "already_taken"}
        made = Record(
            kiosk=self.kiosk,
            gen=self.gen,
            seq=self.seq,
            prev=self.head,
            type=kind,
            wall=int(time.time() * 1000),
            mono=self.seq * 1000,
            **fields,
        )
        payload = encode(made)
        self.head = record_hash(payload)
        return SignedRecord(record=payload, signature=sign_record(payload, self.key))

    def prepare(self, url: str, count: int) -> Prepared:
        """A signed push of its next records."""
        from_seq = self.seq + 1
        records = self.records(count)
        body = JournalRequest(gen=self.gen, from_seq=from_seq, records=records).model_dump_json().encode()
        path = "/v1/journal"
        headers, nonce = self._signed(url + path, body)
        return Prepared(
            path, body, headers, nonce, self.seq, self.head, partial(self._signed, url + path, body)
        )

    def _signed(self, url: str, body: bytes) -> tuple[dict[str, str], str]:
        keyid, nonce = keyid_of(self.kiosk, self.gen), new_nonce()
        signed = sign_request("POST", url, body, self.key, keyid, nonce=nonce, created=time.time())
        return signed | {"Content-Type": "application/json", "Accept-Encoding": "zstd, gzip"}, nonce


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back for one request, and how long it took."""

    asked: Prepared
    status: int
    headers: dict[str, str]
    body: bytes
    took_s: float
    done_s: float
    """When it was there, by ``time.perf_counter``."""


def send_all(port: int, requests: Sequence[Prepared]) -> list[Answered]:
    """Sends one kiosk's requests one after the other over one connection; checks nothing yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    answers = []
    try:
        for one in requests:
            begun = time.perf_counter()
            while True:
                connection.request("POST", one.path, one.body, one.headers)
                response = connection.getresponse()
                body = response.read()
                found = {name.lower(): value for name, value in response.getheaders()}
                if response.status not in (429, 503) or time.perf_counter() - begun > GIVE_UP_S:
                    break
                connection.close()
                time.sleep(float(found.get("retry-after", "1")))
                if one.again is not None:
                    headers, nonce = one.again()
                    one = replace(one, headers=headers, nonce=nonce)  # noqa: PLW2901
            done = time.perf_counter()
            answers.append(Answered(one, response.status, found, body, done - begun, done))
    finally:
        connection.close()
    return answers


def check_answer(answer: Answered, key_for: KeyFor) -> JournalAnswer:
    """The answer, if it is central's own and acknowledges every record sent.

    Raises EnvironmentFault ``bench_stuck``, CentralFault ``answer_refused``.
    """
    header = answer.headers.get(ANSWER_HEADER.lower(), "")
    open_answer(header, key_for, nonce=answer.asked.nonce, status=answer.status, body=answer.body)
    if answer.status != 200:
        raise EnvironmentFault("bench_stuck", f"HTTP {answer.status}: {answer.body[:200]!r}")
    told = JournalAnswer.model_validate_json(answer.body)
    whole = (told.status, told.acked_seq, told.head) == ("ok", answer.asked.upto, answer.asked.head.hex())
    if not whole or told.conflicts or told.quarantined:
        raise EnvironmentFault("bench_stuck", f"central answered {answer.body[:200]!r}")
    return told


def right_of(holder: int) -> str:
    """The key of a holder's right."""
    return f"h{holder}/beras/2026-11"
