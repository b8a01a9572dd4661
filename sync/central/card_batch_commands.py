"""``kmc-central card issue --batch``, ``batch``, ``print``, ``write``, ``verify``, ``make-keys``."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from kiosk import durable_file
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.values import CardRead, Grade, Medium, Mode
from sync.central import (
    card_acts,
    card_batch,
    card_check,
    card_holders,
    card_manifest,
    card_sheet,
    card_writing,
    cards,
)
from sync.central.accounts import Signer
from sync.central.card_acts import Act
from sync.central.card_commands import add_signer, grade_of, issue_one, signer_of
from sync.central.card_face import Branding, Face, photo_of
from sync.central.card_manifest import CardState, Manifest
from sync.central.card_station import StationProcess
from sync.central.state import Central

CARD_NAME: Final = "Kartu Metro Cerita"
CITY: Final = "Metro"
CARDS_PER_FILE: Final = 200
LOCKS: Final = ("none", "permanent")
PHOTO_ENDINGS: Final = (".jpg", ".jpeg", ".png")
SMART_CARD: Final = "SmartCard"
"""A chip that signs (P3)."""
KEY_FILES: Final = ("application.key", "card-auth-key")
"""What changes cards, and what kiosks hold."""
Add = Callable[..., argparse.ArgumentParser]
BrandingOf = Callable[[argparse.Namespace], tuple[str, str]]


def register(group: Any, add: Add, issue: argparse.ArgumentParser, branding: BrandingOf) -> None:
    """Adds the commands to ``kmc-central card``, and batches to ``issue``.

    ``branding`` answers the card's and the city's names.
    """
    one = issue
    one.set_defaults(run=_issue, wrong_usage=one.error)
    one.add_argument("--batch", type=Path, metavar="DIR", help="many cards: the batch's folder, new or begun")
    who = one.add_mutually_exclusive_group()
    who.add_argument("--holders", type=Path, metavar="FILE.csv", help="holder_id or card_no, one a line")
    who.add_argument("--all-without-card", action="store_true", help="everybody who has none in use")
    one.add_argument("--point", type=int, help="of --all-without-card: only this service point")
    one.add_argument("--limit", type=int, help="of --all-without-card: only so many")
    one.add_argument(
        "--replace", choices=("lost", "stolen", "replaced"), default="", help="what becomes of cards in use"
    )
    one.add_argument("--lock", choices=LOCKS, default="none", help="of chips that are written")
    one.add_argument(
        "--give-up", metavar="CARD_NO", default="", help="this card's chip is spoilt: issue anew"
    )
    one = add(group, "batch", _status, "how far a batch is")
    one.add_argument("batch", type=Path, metavar="DIR")

    one = add(group, "print", _print, "faces as a PDF: of a batch, or of one card")
    one.add_argument("card_no", nargs="?", default="", help="one card, into --file")
    one.add_argument("--file", type=Path, metavar="FILE.pdf")
    one.add_argument("--batch", type=Path, metavar="DIR")
    one.add_argument("--again", action="store_true", help="also faces that were printed before")
    one.add_argument("--layout", choices=card_sheet.LAYOUTS, default="a4")
    one.add_argument("--photos", type=Path, metavar="DIR", help="<card number>.jpg or .png")
    one.add_argument("--card-name", default="", help="else the setting branding.card_name")
    one.add_argument("--city", default="", help="else the setting branding.city")
    one.set_defaults(branding=branding, wrong_usage=one.error)
    add_signer(one)

    one = add(
        group, "write", _write, "write a batch's chips one after another, or one card's; read back, verify"
    )
    one.add_argument("--batch", type=Path, metavar="DIR", help="the batch's folder")
    one.add_argument("--card-no", default="", help="this card: of the batch, or the one in use")
    one.add_argument("--lock", choices=LOCKS, default="none", help="without --batch: of the chip")
    one.set_defaults(wrong_usage=one.error)
    one.add_argument("--overwrite", action="store_true", help="also chips that hold something")
    one.add_argument("--limit", type=int, help="stop after so many")
    one.add_argument("--master-key-file", type=Path, metavar="FILE", help="key that changes cards (P2)")
    add_station(one)
    add_signer(one)

    one = add(group, "verify", _verify, "read a card back and say everything that is wrong with it")
    one.add_argument("--qr", default="", metavar="TEXT", help="the printed code instead of a chip")
    add_station(one)

    one = add(group, "make-keys", _make_keys, "make the keys of chips that prove themselves (P2)")
    one.add_argument("folder", type=Path, metavar="DIR", help="of the issuing station; not a kiosk's")


def add_station(parser: argparse.ArgumentParser) -> None:
    """The reader that chips are laid on."""
    parser.add_argument("--device", default="", help="reader that writes, as of kmc-kiosk write")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="S", help="wait so long for a chip")
    parser.add_argument("--card-key-file", type=Path, metavar="FILE", help="key that kiosks hold (P2)")


def _issue(central: Central, options: argparse.Namespace) -> Any:
    """One card, or a batch."""
    if (options.batch is None) == (options.holder is None):
        options.wrong_usage("give HOLDER_ID, or --batch DIR")
    if options.batch is None:
        return issue_one(central, options)
    by = signer_of(central, options)
    if options.holders or options.all_without_card:
        _plan(central, options)
    with card_manifest.opened(options.batch) as manifest:
        if options.give_up:
            card_batch.give_up(central, manifest, options.give_up, by)
        card_batch.issue(central, manifest, by)
        return card_batch.told(manifest)


def _status(central: Central, options: argparse.Namespace) -> Any:
    with card_manifest.opened(options.batch) as manifest:
        waiting = [one for one in manifest.cards.values() if not one.verified]
        left = [
            {
                "card_no": one.card_no,
                "issue_no": one.issue_no,
                "step": one.step,
                "why": one.skipped,
                "uid": one.uid,
            }
            for one in waiting
        ]
        return card_batch.told(manifest) | {"left": left}


def _plan(central: Central, options: argparse.Namespace) -> None:
    """A new batch; the folder of one that is there is gone on with, whatever the list says now."""
    if card_manifest.exists(options.batch):
        return
    grade = grade_of(options)
    if options.holders:
        holders = card_holders.from_file(central, options.holders)
    else:
        holders = card_holders.without_card(central, options.point, options.limit)
    if not holders:
        raise OfficerFault("nobody", "everybody has a card")
    card_batch.plan(central, options.batch, holders, options.chip, grade, options.lock, options.replace)


def _print(central: Central, options: argparse.Namespace) -> Any:
    name, city = options.branding(options)
    branding = Branding(options.card_name or name, options.city or city)
    if bool(options.batch) == bool(options.card_no) or bool(options.card_no) != bool(options.file):
        options.wrong_usage("give --batch DIR, or CARD_NO and --file FILE.pdf")
    by = signer_of(central, options)
    if options.card_no:
        return _print_one(central, options, branding, by)
    with card_manifest.opened(options.batch) as manifest:
        return _print_batch(central, manifest, options, branding, by)


def _print_one(central: Central, options: argparse.Namespace, branding: Branding, by: Signer | None) -> Any:
    with central.database.read() as connection:
        issue_no = cards.active_issue(connection, options.card_no)
    if issue_no is None:
        raise OfficerFault("unknown_card", "no card in use has that number")
    row = next(one for one in cards.listed(central, options.card_no) if one["issue_no"] == issue_no)
    made = cards.issued(central, options.card_no, issue_no)
    name = card_holders.names_of(central, [row["holder_id"]])[row["holder_id"]]
    photo = _photo(options.photos, options.card_no)
    face = Face(options.card_no, name, made.qr, date.fromisoformat(row["valid_until"]), photo)
    durable_file.replace(options.file, card_sheet.pages([face], branding, options.layout))
    card_acts.add(central, [Act(card_acts.PRINTED, options.card_no, issue_no)], by)
    return {"file": str(options.file), "cards": 1, "without_photo": _lacking(options.photos, [face])}


def _print_batch(
    central: Central, manifest: Manifest, options: argparse.Namespace, branding: Branding, by: Signer | None
) -> Any:
    some = [one for one in manifest.cards.values() if one.is_issued and not one.skipped]
    some = [one for one in some if options.again or not one.file]
    in_use = card_batch.still_in_use(central, some)
    some = [one for one in some if one.card_no in in_use]
    names = card_holders.names_of(central, (one.holder_id for one in some))
    files: list[str] = []
    lacking: list[str] = []
    for start in range(0, len(some), CARDS_PER_FILE):
        part = some[start : start + CARDS_PER_FILE]
        faces = [_face(one, names, options.photos) for one in part]
        lacking += _lacking(options.photos, faces)
        file = _next_file(manifest)
        durable_file.replace(manifest.folder / file, card_sheet.pages(faces, branding, options.layout))
        card_batch.note_printed(central, manifest, part, file, by)
        files.append(str(manifest.folder / file))
    return card_batch.told(manifest) | {"files": files, "without_photo": lacking}


def _next_file(manifest: Manifest) -> str:
    """A name behind those that were noted: a file that was not is written over."""
    numbers = (int(one.file[6:-4]) for one in manifest.cards.values() if one.file)
    return f"faces-{max(numbers, default=0) + 1:04d}.pdf"


def _face(one: CardState, names: dict[int, str], photos: Path | None) -> Face:
    photo = _photo(photos, one.card_no)
    return Face(one.card_no, names.get(one.holder_id, ""), one.qr, date.fromisoformat(one.valid_until), photo)


def _photo(folder: Path | None, card_no: str) -> bytes:
    found = [folder / f"{card_no}{ending}" for ending in PHOTO_ENDINGS] if folder else []
    path = next((path for path in found if path.exists()), None)
    return photo_of(path) if path else b""


def _lacking(folder: Path | None, faces: Sequence[Face]) -> list[str]:
    return [face.card_no for face in faces if folder and not face.photo]


def _write(central: Central, options: argparse.Namespace) -> Any:
    by = signer_of(central, options)
    keys = (options.master_key_file, options.card_key_file)
    if options.batch is None:
        if not options.card_no:
            options.wrong_usage("give --batch DIR, or --card-no CARD_NO")
        with station_of(central, options, keys) as station:
            one = card_writing.write_card(
                central, options.card_no, station, by, overwrite=options.overwrite, lock=options.lock
            )
        return {"card_no": one.card_no, "issue_no": one.issue_no, "uid": one.uid}
    with card_manifest.opened(options.batch) as manifest:
        if Grade.of(manifest.grade) is Grade.P2 and None in keys:
            raise OfficerFault("card_key_missing", "chips that prove themselves need both key files")
        with station_of(central, options, keys) as station:
            outcome = card_writing.write_batch(
                central,
                manifest,
                station,
                by,
                _progress,
                card_no=options.card_no,
                overwrite=options.overwrite,
                limit=options.limit,
            )
        told = card_batch.told(manifest) | {"verified": outcome.verified, "faults": outcome.faults}
        done = options.limit is not None and len(outcome.verified) >= options.limit
        left = [one for one in manifest.open_cards() if options.card_no in ("", one.card_no)]
    if left and not done:
        raise OfficerFault("batch_open", f"{len(left)} cards are left: run it again", report=told)
    return told


def _progress(step: str, one: CardState | None, message: str) -> None:
    """What the person at the station is told, on standard error; the answer is on standard output."""
    if step == "lay" and one is not None:
        where = f"chip {one.uid}" if one.uid else "an empty chip"
        line = f"Lay {where} for card {one.card_no}, issue {one.issue_no}."
    elif one is not None:
        line = f"  {step}"
    else:
        line = f"  {step}: {message}. Take it away."
    print(line, file=sys.stderr, flush=True)


def _verify(central: Central, options: argparse.Namespace) -> Any:
    if options.qr:
        told = card_check.examine(central, CardRead(Medium.QR, options.qr.encode("utf-8", "replace")))
    else:
        with station_of(central, options, (None, options.card_key_file)) as station:
            seen = station.look()
            proved = {True: Grade.P2, False: Grade.P1, None: None}[seen.proved]
            if seen.chip == SMART_CARD and seen.payload:
                proved = card_check.signed(central, seen, station)
        read = CardRead(Medium.NFC, seen.payload, seen.uid, seen.chip)
        told = card_check.examine(central, read, proved=proved, locked=seen.locked)
        if seen.holds not in ("credential", "empty"):
            finding = {"code": seen.holds, "message": "what lies on the chip is no credential"}
            told["findings"] = [finding, *(f for f in told["findings"] if f["code"] != "card_empty")]
    if not told["good"]:
        codes = ", ".join(finding["code"] for finding in told["findings"])
        raise OfficerFault("card_wrong", codes, report=told)
    return told


def station_of(central: Central, options: argparse.Namespace, keys: Sequence[Path | None]) -> StationProcess:
    """The writing process on the reader that was named. Raises OfficerFault ``not_in_production``."""
    if central.mode is Mode.PRODUCTION and options.device.startswith("udp"):
        raise OfficerFault("not_in_production", "a virtual reader is for demonstrations only")
    return StationProcess(options.device, timeout_s=options.timeout, key_files=keys)


def _make_keys(_: Central, options: argparse.Namespace) -> Any:
    folder: Path = options.folder
    paths = [folder / name for name in KEY_FILES]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in paths:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(16) + "\n")
                file.flush()
                os.fsync(file.fileno())
    except FileExistsError as fault:
        raise EnvironmentFault("key_file_exists", f"{fault.filename}: keys are never written over") from None
    except OSError as fault:
        raise EnvironmentFault("key_unwritable", f"{folder}: {fault.strerror}") from fault
    return dict(zip(("master_key_file", "card_key_file"), map(str, paths), strict=True))
