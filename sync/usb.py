"""The files by which a kiosk without any network and central speak to each other; both ends use this module.

An exchange file (``.kmcj``) is gzip over JSON lines. Each generation is a section: a head ``{"v", "kind",
"kiosk", "gen", "from_seq"}``, then ``{"record", "signature"}`` for each record, and among them ``{"seq",
"salt", "text"}`` (private text) and ``{"grant"}`` (what the kiosk spends from, for who checks the file). The
last line is ``{"signed"}``: a COSE_Sign1 (context ``kmc/usb/1``) by the device over the SHA-256 of all lines
before it. An answer (``.kmca``) is one JSON object, signed the same way by central over the SHA-256 of its
canonical JSON without ``signed``. Bytes are standard Base64.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, Field, ValidationError

from kiosk import cose
from kiosk.errors import CentralFault
from sync.wire import (
    Answer,
    Count,
    ErrorAnswer,
    JournalAnswer,
    PollAnswer,
    PrivateNote,
    Request,
    SignedRecord,
    Wired,
    from_base64,
    to_base64,
)

CONTEXT: Final = b"kmc/usb/1"
VERSION: Final = 1
ModelT = TypeVar("ModelT", bound=BaseModel)
MAX_PLAIN_BYTES: Final = 256 * 1024 * 1024
"""Of an exchange file before compression: some 200,000 records."""
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
MAX_SECTIONS: Final = 100
JOURNAL: Final = "journal"
ANSWER: Final = "answer"
_EXPORT_CLAIMS: Final = {
    "v", "kind", "kiosk", "gen", "nonce", "written_ms", "highest_grant_rev", "grants_digest", "sha256",
}  # fmt: skip
_ANSWER_CLAIMS: Final = {"v", "kind", "sha256"}


class SectionHead(Request):
    """The first line of a generation's section."""

    v: int = Field(ge=VERSION, le=VERSION)
    kind: str = Field(pattern="^journal$")
    kiosk: str = Field(pattern=r"^[A-Z0-9]{2,8}$")
    gen: int = Field(ge=1, lt=2**31)
    from_seq: int = Field(ge=1, lt=2**63)


class _GrantLine(Request):
    grant: Wired = Field(max_length=8 * 1024)


class _SealLine(Request):
    signed: Wired = Field(max_length=8 * 1024)


@dataclass(slots=True)
class Section:
    """Records of one generation, without gaps."""

    head: SectionHead
    records: list[SignedRecord] = field(default_factory=list)
    private: list[PrivateNote] = field(default_factory=list)
    grants: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ExportSeal:
    """What the device signed about its file. Times are Unix milliseconds."""

    kiosk: str
    gen: int
    nonce: str
    written_ms: int
    highest_grant_rev: int
    grants_digest: str


@dataclass(frozen=True, slots=True)
class Export:
    """An exchange file, taken apart; nothing in it is to be believed before ``check_seal``."""

    seal: ExportSeal
    sections: list[Section]
    message: cose.Sign1

    @property
    def count(self) -> int:
        """How many records it holds."""
        return sum(len(section.records) for section in self.sections)


class SectionAnswer(Answer):
    """Central's word on one section."""

    gen: int
    from_seq: int
    answer: JournalAnswer


class AnswerFile(Answer):
    """What central answers to an exchange file."""

    v: int = Field(ge=VERSION, le=VERSION)
    kind: str = Field(pattern="^answer$")
    kiosk: str
    gen: int
    nonce: str
    """Of the exchange file."""
    time_ms: Count
    keyset: Wired
    """The newest one, by which this answer can be checked when central's key has changed."""
    journals: list[SectionAnswer]
    poll: PollAnswer | None = None
    """Grants and all else that a poll would have brought; absent with ``refused``."""
    refused: ErrorAnswer | None = None
    signed: Wired = b""


def malformed(why: str) -> CentralFault:
    """A file that is none of ours, or that was cut or changed."""
    return CentralFault("file_malformed", why)


# -- exchange file --


def write_export(
    sections: Sequence[tuple[SectionHead, Iterator[dict[str, Any]]]],
    seal: ExportSeal,
    key: Ed25519PrivateKey,
) -> bytes:
    """The bytes of an exchange file; the lines of each section are JSON values in the format above."""
    plain = hashlib.sha256()
    out = io.BytesIO()
    with GzipFile(fileobj=out, mode="wb", mtime=0) as file:

        def write(value: dict[str, Any]) -> None:
            line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            plain.update(line)
            file.write(line)

        for head, lines in sections:
            write(head.model_dump())
            for line in lines:
                write(line)
        claims = {
            "v": VERSION,
            "kind": JOURNAL,
            "kiosk": seal.kiosk,
            "gen": seal.gen,
            "nonce": seal.nonce,
            "written_ms": seal.written_ms,
            "highest_grant_rev": seal.highest_grant_rev,
            "grants_digest": seal.grants_digest,
            "sha256": plain.digest(),
        }
        kid = f"{seal.kiosk}.{seal.gen}".encode()
        write({"signed": to_base64(cose.sign(cose.encode(claims), key, kid, CONTEXT))})
    return out.getvalue()


def read_export(data: bytes) -> Export:
    """Takes an exchange file apart. Raises CentralFault ``file_malformed``, ``file_too_large``."""
    plain = _decompressed(data)
    body, _, last = plain.rstrip(b"\n").rpartition(b"\n")
    if not body:
        raise malformed("no section before the seal")
    body += b"\n"
    try:
        message = cose.parse(_line(last, _SealLine).signed)
        claims = cose.decode(message.payload)
    except cose.SignedDataFault as fault:
        raise malformed(f"the seal: {fault}") from None
    seal = _export_seal(claims)
    if claims["sha256"] != hashlib.sha256(body).digest():
        raise malformed("the lines are not those that were sealed")
    return Export(seal, _sections(body, seal.kiosk), message)


def check_seal(message: cose.Sign1, publics: Sequence[bytes]) -> bytes:
    """The raw public key, of ``publics``, that sealed a file. Raises CentralFault ``bad_signature``."""
    for public in publics:
        try:
            cose.check(message, Ed25519PublicKey.from_public_bytes(public), CONTEXT)
        except cose.SignedDataFault:
            continue
        return public
    raise CentralFault("bad_signature", "the file is not sealed by the key of this kiosk")


def _decompressed(data: bytes) -> bytes:
    try:
        with GzipFile(fileobj=io.BytesIO(data)) as file:
            plain = file.read(MAX_PLAIN_BYTES + 1)
    except (BadGzipFile, EOFError, zlib.error, OSError):
        raise malformed("not gzip, or cut short") from None
    if len(plain) > MAX_PLAIN_BYTES:
        raise CentralFault("file_too_large", f"more than {MAX_PLAIN_BYTES} bytes")
    return plain


def _export_seal(claims: Any) -> ExportSeal:
    if not isinstance(claims, dict) or set(claims) != _EXPORT_CLAIMS or claims["v"] != VERSION:
        raise malformed("not an exchange file of version 1")
    texts = [claims[name] for name in ("kiosk", "nonce", "grants_digest")]
    numbers = [claims[name] for name in ("gen", "written_ms", "highest_grant_rev")]
    if (
        claims["kind"] != JOURNAL
        or not all(isinstance(text, str) and 0 < len(text) <= 40 for text in texts)
        or not all(type(number) is int and 0 <= number < 2**63 for number in numbers)
        or not claims["grants_digest"].isdecimal()
    ):
        raise malformed("a claim of the seal")
    return ExportSeal(
        claims["kiosk"],
        claims["gen"],
        claims["nonce"],
        claims["written_ms"],
        claims["highest_grant_rev"],
        claims["grants_digest"],
    )


def _sections(body: bytes, kiosk: str) -> list[Section]:
    sections: list[Section] = []
    for line in body.splitlines():
        if line.startswith(b'{"record"') and sections:
            sections[-1].records.append(_line(line, SignedRecord))
        elif line.startswith(b'{"seq"') and sections:
            sections[-1].private.append(_line(line, PrivateNote))
        elif line.startswith(b'{"grant"') and sections:
            sections[-1].grants.append(_line(line, _GrantLine).grant)
        else:
            sections.append(Section(_line(line, SectionHead)))
            if len(sections) > MAX_SECTIONS:
                raise malformed("too many sections")
    gens = [section.head.gen for section in sections]
    if len(set(gens)) != len(gens):
        raise malformed("a generation twice")
    if any(section.head.kiosk != kiosk for section in sections):
        raise malformed("a section of another kiosk")
    return sections


def _line(line: bytes, model: type[ModelT]) -> ModelT:
    try:
        return model.model_validate_json(line)
    except ValidationError:
        # Neither the line nor the library's words: they may repeat personal text.
        raise malformed(f"a line that is no {model.__name__.strip('_')}") from None


# -- answer --


def write_answer(answer: AnswerFile, key: Ed25519PrivateKey, kid: bytes) -> bytes:
    """The bytes of an answer, signed by central."""
    plain = answer.model_dump(mode="json", exclude={"signed"})
    claims = {"v": VERSION, "kind": ANSWER, "sha256": _digest(plain)}
    signed = to_base64(cose.sign(cose.encode(claims), key, kid, CONTEXT))
    return json.dumps(plain | {"signed": signed}, ensure_ascii=False).encode()


def read_answer(data: bytes) -> tuple[AnswerFile, cose.Sign1]:
    """An answer and what signed it; nothing in it is to be believed before the signature was checked.

    Raises CentralFault ``file_malformed``, ``file_too_large``; ``bad_signature`` where the signature is of
    something else.
    """
    if len(data) > MAX_ANSWER_BYTES:
        raise CentralFault("file_too_large", f"more than {MAX_ANSWER_BYTES} bytes")
    try:
        value = json.loads(data)
        answer = AnswerFile.model_validate(value)
        message = cose.parse(from_base64(value["signed"]))
        claims = cose.decode(message.payload)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise malformed("not an answer of central") from None
    if not isinstance(claims, dict) or set(claims) != _ANSWER_CLAIMS or claims["v"] != VERSION:
        raise malformed("not an answer of version 1")
    value.pop("signed")
    if claims["kind"] != ANSWER or claims["sha256"] != _digest(value):
        raise CentralFault("bad_signature", "the answer was changed on its way")
    return answer, message


def _digest(value: dict[str, Any]) -> bytes:
    canonical = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).digest()


def write_on_stick(path: Path, data: bytes) -> None:
    """Writes a file that is not there yet, durably, or leaves none. Raises OSError.

    On a stick there are neither links nor file modes: a file that was cut is told by its signature.
    """
    with path.open("xb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
