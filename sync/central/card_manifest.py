"""The manifest of a batch of cards: JSON lines in the batch's folder, one for each step, durable at once.

It says what was done, so that a batch that was interrupted goes on where it was. A last line that was cut
short was never counted on, and is dropped. Lines hold credentials: the folder has mode 0700, the file 0600.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kiosk import durable_file
from kiosk.errors import EnvironmentFault, OfficerFault
from sync.central.card_acts import BOUND, ISSUED, PRINTED, VERIFIED, WRITTEN

FILE_NAME: Final = "manifest.jsonl"
BATCH: Final = "batch"
PLANNED: Final = "planned"
SKIPPED: Final = "skipped"
GIVEN_UP: Final = "given_up"
Line = dict[str, Any]


@dataclass(slots=True)
class CardState:
    """How far one card of a batch is."""

    card_no: str
    holder_id: int
    replaces: str
    """What becomes of the card before; empty: only a holder without one gets a card."""
    issue_no: int = 0
    """0 before it is issued."""
    qr: str = ""
    valid_until: str = ""
    file: str = ""
    """The file its face was printed into; empty if it was not."""
    uid: str = ""
    """Of the chip it is bound to, in hex."""
    nfc: str = ""
    """The chip's credential in Base64."""
    written: bool = False
    verified: bool = False
    given_up: int = 0
    """Issue number that was given up, to be followed by another."""
    skipped: str = ""
    """Why it gets no card; empty if it does."""

    @property
    def is_issued(self) -> bool:
        """True if it has the issue number that counts."""
        return self.issue_no > self.given_up

    @property
    def step(self) -> str:
        """The last step that is done: one word for lists."""
        if self.skipped:
            return SKIPPED
        done = ((VERIFIED, self.verified), (WRITTEN, self.written), (BOUND, self.uid), (PRINTED, self.file))
        return next((name for name, flag in done if flag), ISSUED if self.is_issued else PLANNED)


@dataclass(slots=True)
class Manifest:
    """A batch as its manifest tells it."""

    folder: Path
    id: str
    chip: str
    grade: str
    lock: str
    cards: dict[str, CardState] = field(default_factory=dict)
    """By card number, in the order of the plan."""

    def append(self, lines: Iterable[Line]) -> None:
        """Writes lines durably, then takes them over. Raises EnvironmentFault ``write_failed``."""
        listed = list(lines)
        text = "".join(_text(line) for line in listed)
        path = self.folder / FILE_NAME
        try:
            handle = os.open(path, os.O_WRONLY | os.O_APPEND)
            try:
                _write_whole(handle, text.encode("utf-8"))
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as fault:
            raise EnvironmentFault("write_failed", f"{path.name}: {fault.strerror}") from fault
        for line in listed:
            self._take(line)

    def open_cards(self) -> list[CardState]:
        """Cards that are not finished, in order."""
        return [card for card in self.cards.values() if not card.skipped and not card.verified]

    def counts(self) -> dict[str, int]:
        """How many cards are at each step."""
        found: dict[str, int] = {}
        for card in self.cards.values():
            found[card.step] = found.get(card.step, 0) + 1
        return found

    def _take(self, line: Line) -> None:
        step = line["step"]
        if step == PLANNED:
            self.cards[line["card_no"]] = CardState(line["card_no"], line["holder_id"], line["replaces"])
            return
        card = self.cards[line["card_no"]]
        if step == ISSUED:
            card.issue_no, card.qr, card.valid_until = line["issue_no"], line["qr"], line["valid_until"]
            card.file, card.uid, card.nfc, card.written = "", "", "", False
        elif step == PRINTED:
            card.file = line["file"]
        elif step == BOUND:
            card.uid, card.nfc = line["uid"], line["nfc"]
        elif step == WRITTEN:
            card.written = True
        elif step == VERIFIED:
            card.verified = True
        elif step == GIVEN_UP:
            card.given_up = line["issue_no"]
        elif step == SKIPPED:
            card.skipped = line["why"]


def create(
    folder: Path, batch_id: str, chip: str, grade: str, lock: str, planned: Iterable[Line], created: int
) -> None:
    """Makes a batch's folder and manifest, whole or not at all.

    Raises OfficerFault ``batch_exists``; EnvironmentFault ``write_failed``.
    """
    path = folder / FILE_NAME
    head = {"step": BATCH, "id": batch_id, "chip": chip, "grade": grade, "lock": lock, "created": created}
    text = "".join(_text(line) for line in (head, *planned))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            raise OfficerFault("batch_exists", f"{folder} holds a batch already: go on with it")
    except OSError as fault:
        raise EnvironmentFault("write_failed", f"{folder}: {fault.strerror}") from fault
    durable_file.replace(path, text.encode("utf-8"))


def exists(folder: Path) -> bool:
    """True if there is a batch in that folder."""
    return (folder / FILE_NAME).exists()


@contextmanager
def opened(folder: Path) -> Iterator[Manifest]:
    """The batch in that folder, for this process alone.

    Raises OfficerFault ``unknown_batch``, ``batch_busy``; EnvironmentFault ``batch_damaged``.
    """
    path = folder / FILE_NAME
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        raise OfficerFault("unknown_batch", f"no batch in {folder}") from None
    except OSError as fault:
        raise EnvironmentFault("batch_damaged", f"{path}: {fault.strerror}") from fault
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OfficerFault("batch_busy", f"another process works on {folder}") from None
        yield _read(folder, handle)
    finally:
        os.close(handle)


def _read(folder: Path, handle: int) -> Manifest:
    with os.fdopen(os.dup(handle), "rb") as file:
        raw = file.read()
    whole = raw.rfind(b"\n") + 1
    if whole < len(raw):
        os.ftruncate(handle, whole)
    try:
        head, *lines = [json.loads(line) for line in raw[:whole].splitlines()]
        manifest = Manifest(folder, head["id"], head["chip"], head["grade"], head["lock"])
        for line in lines:
            manifest._take(line)  # noqa: SLF001 - the same class's own reading
    except (ValueError, KeyError, TypeError) as fault:
        raise EnvironmentFault("batch_damaged", f"{FILE_NAME} in {folder}: {fault!r}") from fault
    return manifest


def _text(line: Line) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"


def _write_whole(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
