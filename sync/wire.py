"""The messages between a kiosk and central under ``/v1``, and what the feed's rows look like.

JSON over HTTP. Requests refuse unknown fields; answers ignore them, so that central may be newer than a
kiosk. Bytes travel as standard Base64 with padding (RFC 4648 section 4).
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from kiosk import feed_rows

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
MAX_RECORDS: Final = 1000
MAX_RIGHTS: Final = 500
MAX_GRANTS: Final = 500
MAX_HELD: Final = 2000
MAX_ROWS: Final = 5000
MAX_COUNT: Final = 100_000
"""Rows of one kind in a page: a rev larger than MAX_ROWS goes out whole."""
MAX_SLICES: Final = 100
MAX_VOIDS: Final = 100
MAX_WAIT_S: Final = 60.0
MAX_KEYSET: Final = 16 * 1024
MAX_CURSOR: Final = 16_000
"""Characters; one bucket takes about 20."""
ANSWER_HEADER: Final = "KMC-Answer"


def to_base64(data: bytes) -> str:
    """Standard Base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """The bytes of strict standard Base64. Raises ValueError."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as fault:
        raise ValueError("not Base64") from fault


def _bytes_from(value: object) -> bytes:
    if isinstance(value, str):
        return from_base64(value)
    if isinstance(value, bytes):
        return value
    raise ValueError("Base64 text expected")


Wired = Annotated[
    bytes,
    BeforeValidator(_bytes_from),
    PlainSerializer(to_base64, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
"""Bytes that are Base64 text on the wire; validated models hold ``bytes``."""

Count = Annotated[int, Field(ge=0, lt=2**63)]
RightKey = Annotated[
    str, Field(min_length=5, max_length=120, pattern=r"^[hf][0-9]{1,18}/[a-z0-9-]{1,40}/[0-9A-Za-z-]{1,40}$")
]


class Request(BaseModel):
    """A body that a kiosk sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """A body that central sends."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class EnrolRequest(Request):
    """``POST /v1/enrol``, signed by the new device key with keyid ``enrol``."""

    ticket: str = Field(min_length=1, max_length=64)
    public: Wired = Field(min_length=32, max_length=32)
    """The device's raw Ed25519 public key."""
    name: str = Field(default="", max_length=80)


class EnrolAnswer(Answer):
    """What a newly enrolled kiosk keeps: its signed enrolment and whom to trust."""

    enrolment: Wired
    keyset: Wired
    roots: list[Wired]
    """Raw public keys of the two root keys."""
    central_kid: Wired
    pepper: Wired
    """32 bytes: the pepper of officers' PINs."""
    settings: dict[str, Any] = Field(default_factory=dict)


class SignedRecord(Request):
    """One journal record as the kiosk signed it."""

    record: Wired = Field(min_length=1, max_length=16 * 1024)
    signature: Wired = Field(min_length=64, max_length=64)


class PrivateNote(Request):
    """Personal text of a record, bound to it by a salted commitment; erasable at central."""

    seq: Count
    salt: Wired = Field(max_length=64)
    text: str = Field(max_length=4000)


class JournalRequest(Request):
    """``POST /v1/journal``: records ``from_seq``, ``from_seq + 1``, … of one generation."""

    gen: Annotated[int, Field(ge=1, lt=2**31)]
    from_seq: Annotated[int, Field(ge=1, lt=2**62)]
    records: list[SignedRecord] = Field(max_length=MAX_RECORDS)
    private: list[PrivateNote] = Field(default_factory=list, max_length=MAX_RECORDS)


class Conflict(Answer):
    """A case that people settle: what central saw, and the pickups it names."""

    code: str
    right: str = ""
    refs: list[str] = Field(default_factory=list)
    detail: dict[str, Any] = Field(default_factory=dict)


class JournalAnswer(Answer):
    """How far central has this generation's journal."""

    status: Literal["ok", "gap", "fork", "stale_gen"]
    gap_from: Count | None = None
    """The first sequence number that central lacks; with ``gap``."""
    acked_seq: Count
    durable_seq: Count
    head: str
    """Hex SHA-256 of the record at ``acked_seq``; zeros if none."""
    conflicts: list[Conflict] = Field(default_factory=list)
    """Cases opened by this push; a repeated push does not repeat them."""
    quarantined: list[int] = Field(default_factory=list)


class RightsRequest(Request):
    """``POST /v1/rights``: rights the kiosk wants now."""

    rights: list[RightKey] = Field(min_length=1, max_length=MAX_RIGHTS)


class RightAnswer(Answer):
    """What became of one wanted right."""

    right: str
    status: Literal["granted", "held", "taken", "recalled", "unknown", "closed", "later"]
    grant: Wired | None = None
    grant_rev: int | None = None
    """Where the grant stands among those that ``poll`` delivers."""
    point: int | None = None
    kiosk: str | None = None
    at: str | None = None
    """ISO local time of the last pickup; with ``taken``."""
    ref: str | None = None


class RightsAnswer(Answer):
    """One answer for each wanted right, in the order asked."""

    answers: list[RightAnswer]


class PollRequest(Request):
    """``POST /v1/poll``: heartbeat and long-poll in one."""

    gen: Annotated[int, Field(ge=1, lt=2**31)]
    versions: dict[str, str] = Field(default_factory=dict, max_length=32)
    health: dict[str, Any] = Field(default_factory=dict, max_length=64)
    queue: Count = 0
    highest_grant_rev: Count = 0
    grants_digest: str = Field(default="0", pattern=r"^[0-9]{1,20}$")
    cursor: str = Field(default="", max_length=MAX_CURSOR)
    wait_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S, allow_inf_nan=False)] = 0.0


class VoidRequest(Answer):
    """Central asks the kiosk that handed a pickup out to void it; the kiosk's own record does it."""

    ref: str
    reason: str
    by: str
    """Account of the central staff member who asks."""


class PollAnswer(Answer):
    """What waits for the kiosk."""

    changes_waiting: bool
    recalls: list[str] = Field(default_factory=list)
    grants: list[Wired] = Field(default_factory=list)
    grant_rev: Count
    """Rev of the last grant in ``grants``, else what the kiosk said: its next ``highest_grant_rev``."""
    grants_more: bool = False
    grants_reset: bool = False
    """The kiosk's digest differed: delivery starts again from 0."""
    time_ms: Count
    incarnation: Count
    acked_seq: Count
    report_wanted: bool = False
    """Central went back to a backup and waits for this kiosk's ``POST /v1/holdings``."""
    order: str = Field(default="", max_length=16)
    """Empty, ``stop``, ``flush`` or ``wipe``; repeated until it is taken back."""
    slices: list[Wired] = Field(default_factory=list, max_length=MAX_SLICES)
    """Stock slices allotted to this generation and not received yet: COSE_Sign1, context ``kmc/stock/1``."""
    voids: list[VoidRequest] = Field(default_factory=list, max_length=MAX_VOIDS)
    """Voids asked for and not carried out yet; sent again until the kiosk's record arrives."""


class ColumnarRows(Answer):
    """Rows of one kind, column by column; each column packed as ``kiosk.feed_columns`` says."""

    columns: list[str]
    keys: Annotated[int, Field(ge=1, le=16)] = 1
    """How many leading columns are the key."""
    count: Annotated[int, Field(ge=0, le=MAX_COUNT)]
    data: list[dict[str, Any]]
    moves: dict[str, Any] | None = None
    """A packed column of move ids, empty text for rows that did not move; None where none did."""


class Checkpoint(Answer):
    """A bucket is complete up to ``rev``; its rows then sum up to ``checksum``."""

    bucket: str
    rev: int
    checksum: str


class BucketPart(Answer):
    """What a page tells of one bucket: whole revs, with a checkpoint where nothing is behind them."""

    bucket: str
    tables: dict[str, ColumnarRows] = Field(default_factory=dict)
    tombstones: dict[str, ColumnarRows] = Field(default_factory=dict)
    """Keys of rows that are gone. One with a move id was inserted elsewhere under the same id."""
    checkpoint: Checkpoint | None = None


class ChangesAnswer(Answer):
    """One page of ``GET /v1/changes``: a part of one bucket, or several buckets that fit in as a whole."""

    parts: list[BucketPart] = Field(default_factory=list)
    follow: list[str] = Field(default_factory=list)
    """Every bucket this kiosk follows; rows of others are to be forgotten."""
    snapshots: list[str] = Field(default_factory=list)
    """Buckets that are large and of which the cursor has nothing: better loaded as a file."""
    next: str
    more: bool


class SnapshotManifest(Answer):
    """``GET /v1/snapshot/{bucket}``: the newest snapshot of a bucket, signed by central (COSE_Sign1 with
    context ``kmc/snapshot/1``, see ``sync.snapshot_format``)."""

    manifest: Wired


class LookupRequest(Request):
    """``POST /v1/lookup``: whose card is this? Answered for a genuine card that may be served only."""

    medium: Literal["nfc", "qr"]
    credential: Wired = Field(min_length=1, max_length=4096)
    """The bytes as the reader read them."""
    uid: Wired = Field(default=b"", max_length=10)


class LookupAnswer(Answer):
    """The holder of a card with all that a counter needs of them, family and guardians included."""

    status: Literal["found", "unknown", "refused"]
    code: str = ""
    """Refused: the code of the card's fault, as a kiosk would name it."""
    card_no: str = ""
    holder_id: int = 0
    tables: dict[str, ColumnarRows] = Field(default_factory=dict)


Held = tuple[RightKey, Annotated[int, Field(ge=0, lt=2**31)], Count]
"""A right and the epoch ``(incarnation, n)`` at which it is held."""


class HoldingsRequest(Request):
    """``POST /v1/holdings``: what the kiosk holds, page by page, after central went back to a backup."""

    gen: Annotated[int, Field(ge=1, lt=2**31)]
    head_seq: Count
    """The last record of the generation's journal; central must have it before the list means anything."""
    held: list[Held] = Field(max_length=MAX_HELD)
    first: bool = True
    more: bool = False


class HoldingsAnswer(Answer):
    """What became of a page of holdings."""

    status: Literal["taken", "journal_first", "not_asked"]


class HealthAnswer(Answer):
    """``GET /v1/health``; unsigned, so only a hint."""

    ok: bool
    time_ms: int


class KeysetAnswer(Answer):
    """``GET /v1/keyset``; unsigned, since a root key signed what it holds: whoever brings it."""

    keyset: Wired = Field(max_length=MAX_KEYSET)


class ErrorAnswer(Answer):
    """Body of every answer whose status is not 2xx."""

    code: str
    message: str


CITY: Final = "city"
"""The bucket of what is the same everywhere. Every kiosk follows it, its own point's bucket and officers, and
such other points as central's settings name for it; a card from elsewhere is looked up."""


def point_bucket(point_id: int) -> str:
    """Name of the bucket of a service point's holders and their rights."""
    return f"p{point_id}"


def officer_bucket(point_id: int) -> str:
    """Name of the bucket of a service point's officers, which no other point's kiosk gets."""
    return f"o{point_id}"


FEED_COLUMNS: Final = feed_rows.COLUMNS
FEED_KEYS: Final = feed_rows.KEYS
row_hash = feed_rows.row_hash
hash_of_text = feed_rows.hash_of_text
checksum_of = feed_rows.checksum_of

CITY_KINDS: Final = ("agency", "point", "kiosk", "program", "denied_card", "keyset")
POINT_KINDS: Final = ("holder", "guardian", "entitlement", "right", "family", "legacy_card")
OFFICER_KINDS: Final = ("officer", "badge")
