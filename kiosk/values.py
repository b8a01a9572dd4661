"""Plain values that cross walls: between reader, domain, screen and sync. Imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum

NDEF_TYPE = "metrokota.go.id:kmc"
"""NFC Forum external type of the record that carries the credential (NDEF RTD 1.0, section 3)."""

QR_PREFIX = "KMC1:"
"""First characters of a KMC QR code; what follows is Base45 (RFC 9285)."""


class Mode(StrEnum):
    """What a kiosk was enrolled for; fixed and signed by central."""

    PRODUCTION = "production"
    DEMONSTRATION = "demonstration"


class Medium(StrEnum):
    """What a credential was read from, or ``typed`` when an officer typed the card number."""

    NFC = "nfc"
    QR = "qr"
    TYPED = "typed"


class Grade(Enum):
    """How much a read proves, lowest first (docs/cards.md has the table)."""

    TYPED = 0
    LEGACY = 1
    P0 = 2
    P1 = 3
    P2 = 4
    P3 = 5

    def __lt__(self, other: Grade) -> bool:
        return self.value < other.value

    def __le__(self, other: Grade) -> bool:
        return self.value <= other.value

    @property
    def label(self) -> str:
        """The word used in records, settings and JSON: ``typed``, ``legacy``, ``p0`` … ``p3``."""
        return self.name.lower()

    @classmethod
    def of(cls, label: str) -> Grade:
        """The grade with that label. Raises KeyError."""
        return cls[label.upper()]


@dataclass(frozen=True, slots=True)
class ChipProof:
    """What the reader process ran with the chip beyond reading it. Of P3 nothing is trusted yet."""

    grade: Grade
    """P1 (read only), P2 (the chip answered a challenge with its own AES key) or P3 (it signed one)."""
    challenge: bytes = b""
    """P3: the kiosk's challenge that was signed, 16 bytes."""
    certificate: bytes = b""
    """P3: the card's certificate under the city's CA."""
    signature: bytes = b""
    """P3: over the challenge (docs/card-profile.md)."""
    original: bool | None = None
    """NXP's originality signature: checked good, checked bad, or None where the chip has none."""
    counter: int | None = None
    """NTAG 424 DNA: the read counter its message code (SDM) was made with; checked good by the reader."""


@dataclass(frozen=True, slots=True)
class CardRead:
    """What a reader saw; nothing in it is trusted yet."""

    medium: Medium
    payload: bytes
    """NFC: the payload of the NDEF record of type NDEF_TYPE. QR: the raw bytes of the code."""
    uid: bytes = b""
    """NFC: UID (ISO 14443-3, 4, 7 or 10 bytes) or IDm (FeliCa, 8 bytes). QR: empty."""
    chip: str = ""
    """Chip family as the reader named it, such as ``NTAG215`` or ``FeliCa``; empty for QR."""
    reader: str = ""
    read_ms: float = 0.0
    """From card found to payload complete, in milliseconds."""
    proof: ChipProof | None = None
    """What the chip proved of itself; None for QR, and where nothing was run."""
    found: str = ""
    """Of a chip without a credential (``payload`` empty): the code of what the reader found in its place."""


@dataclass(frozen=True, slots=True)
class Text:
    """A short text in both languages of the screen."""

    id: str
    en: str

    def in_language(self, language: str) -> str:
        """The text in ``id`` or ``en``; anything else answers Indonesian."""
        return self.en if language == "en" else self.id


class StateCode(StrEnum):
    """What a program means for this holder now."""

    READY = "ready"
    CHECKING = "checking"
    TAKEN = "taken"
    NOT_YET = "not_yet"
    ENDED = "ended"
    NEEDS_DOCUMENT = "needs_document"
    HELD_ELSEWHERE = "held_elsewhere"
    NEEDS_NETWORK = "needs_network"
    GRADE_TOO_LOW = "grade_too_low"
    BLOCKED = "blocked"
    DATE_IN_DOUBT = "date_in_doubt"


@dataclass(frozen=True, slots=True)
class ProgramState:
    """The state of one program, with what the screen needs to say it."""

    code: StateCode
    date: str = ""
    """ISO local date the words mention: taken on, from, ended on; else empty."""
    place: str = ""
    """Name of the service point the words mention: taken at, held at; else empty."""
    documents: tuple[str, ...] = ()
    """Document codes to bring, such as ``ktp`` and ``kk``."""
    by: str = ""
    """Taken: reference of the pickup, for the officer. Never shown to citizens."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may stand at the counter for a holder, or the holder."""

    holder_id: int
    name: str
    relation: str = "holder"
    """``holder`` or the guardian's relation, such as ``mother``."""


@dataclass(frozen=True, slots=True)
class VisitRow:
    """One program of a visit: what the screens list."""

    program_id: str
    program_version: int
    name: Text
    agency: str
    state: ProgramState
    right: str
    """Right key ``subject/right_group/period_key``; empty when no period is open."""
    quantity: int
    """What is left to hand out, in the benefit's smallest unit."""
    quantity_text: Text
    """The same for people: ``10 kg``, ``Rp 200.000``, ``1 kali``."""
    benefit: Text
    """What is handed out, such as ``beras``."""
    unit: str = ""
    partial: bool = False
    sensitive: bool = False
    documents: tuple[str, ...] = ()
    collectors: tuple[str, ...] = ("holder",)
    """Who may collect: any of ``holder``, ``guardian``, ``representative``."""
    officer_check_lifts: bool = False
    """True if an officer's check of the photo and KTP lifts a grade that is too low."""
    counter: str = ""
    """Label of the counter that hands it out, such as ``Loket 2``; empty if not set."""
    per_display: int = 1
    """Smallest units in one unit as shown, such as 1000 (g in a kg)."""
    display: Text = Text("", "")
    """The unit as shown, such as ``kg``; in English it may name singular and plural, ``visit|visits``."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A card that was read and trusted: its holder and the programs, as of one moment."""

    visit_id: str
    holder_id: int
    card_no: str
    issue_no: int
    medium: Medium
    grade: Grade
    public_name: str
    """Masked for the public screen, ``SITI R•••••``; empty when the grade shows no name there."""
    full_name: str
    nik_last4: str
    birth_date: str
    """ISO date; for the officer only."""
    rows: tuple[VisitRow, ...]
    guardians: tuple[Person, ...] = ()
    data_as_of: str = ""
    """ISO time of the last successful sync; empty if never."""
    documents_seen: tuple[str, ...] = ()
    """Documents the officer has ticked during this visit."""
    asking: bool = False
    """Central is to be asked (``Counter.look_up``) who this is, where ``holder_id`` is 0, or what is missing
    of a holder who lives elsewhere; then ``Counter.refresh``."""


@dataclass(frozen=True, slots=True)
class Collector:
    """Who takes the goods away."""

    kind: str = "holder"
    """``holder``, ``guardian`` or ``representative``."""
    holder_id: int = 0
    """Guardian: the guardian's holder id."""
    name: str = ""
    letter: str = ""
    """Representative: number of the letter (surat kuasa)."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What the officer checked by eye before confirming."""

    documents: tuple[str, ...] = ()
    photo_and_ktp: bool = False


@dataclass(frozen=True, slots=True)
class OfficerSession:
    """An officer who signed in at this kiosk."""

    username: str
    name: str
    role: str
    """``officer`` or ``supervisor``."""
    signed_in_at: str


@dataclass(frozen=True, slots=True)
class Pickup:
    """One hand-out as recorded, for lists and receipts."""

    ref: str
    program_id: str
    program_name: Text
    holder_name: str
    """Full name when the cache knows the holder, else empty. Officer's screen only."""
    quantity: int
    quantity_text: Text
    officer: str
    at: str
    """ISO local time, shown only; order comes from the journal."""
    voided: bool = False
    shown: bool = True
    """False: the program stopped before the officer saw it recorded."""
    synced: bool = False


@dataclass(frozen=True, slots=True)
class KioskStatus:
    """What the screens show of the kiosk itself."""

    kiosk: str
    point: str
    counter: str
    mode: Mode
    online: bool
    waiting: int
    """Records not yet acknowledged by central."""
    data_as_of: str
    """ISO time of the last successful sync; empty if never."""
    frozen: str = ""
    """Code of what keeps this kiosk from dispensing; empty if nothing does."""
    warnings: tuple[str, ...] = field(default=())
    loading: int | None = None
    """Percent of a first load (or one anew) that is on its way; None if none is."""


class CheckStatus(StrEnum):
    """How one check of the doctor ended."""

    GOOD = "good"
    ATTENTION = "attention"
    """It works, and will not for long, or not as well as it could."""
    BAD = "bad"
    """Something does not work because of this."""
    ABSENT = "absent"
    """There is nothing here to check."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of the doctor found, for a technician."""

    check: str
    """What was looked at, such as ``usb_access``."""
    status: CheckStatus
    subject: str
    """The device, file or service it is about."""
    evidence: str
    """What was seen, in one line."""
    fix: str = ""
    """A command line that mends it, or what to do with one's hands."""
    again: str = "kmc-kiosk doctor"
    """The command line that tests it again."""
