"""Checks of the readers that the settings name: there, open to the kiosk's user, answering."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from drivers.doctor.machine import Account, Machine, group_of
from drivers.doctor.usb import SETUP
from drivers.reader import DeviceReference
from kiosk.errors import EnvironmentFault
from kiosk.values import CheckStatus, Finding

CHOOSE: Final = "kmc-kiosk setup"
DEVICES: Final = "kmc-kiosk devices"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the settings say of readers; ``open_them`` is False while a running kiosk has them."""

    nfc: Sequence[str] = ("",)
    """Device paths; one empty path means whichever is there."""
    nfc_enabled: bool = True
    camera: str = ""
    camera_enabled: bool = True
    scanner: str = ""
    prefix: str = ""
    """What a scanner sends before each code."""
    open_them: bool = True

    virtual: bool = False
    """A demonstration's virtual readers run."""

    @property
    def wants_usb(self) -> bool:
        """A reader on USB is looked for."""
        return self.nfc_enabled and any(path.partition(":")[0] in ("", "usb") for path in self.nfc)


@dataclass(frozen=True, slots=True)
class Finders:
    """How readers are listed; each raises EnvironmentFault."""

    usb: Callable[[str], DeviceReference]
    """The reader on USB with that path."""
    slots: Callable[[], list[DeviceReference]]
    """The readers of PC/SC."""
    answers: Callable[[str], str]
    """Opens a reader for a moment; its name."""


def finders() -> Finders:
    """Those of this machine."""
    from drivers.nfc_devices import find_device
    from drivers.pcsc_reader import find_readers

    return Finders(find_device, find_readers, _name_of)


def _name_of(path: str) -> str:
    from drivers.makes import connect

    with connect(path) as connection:
        name = connection.reference.name
        return name if name != path else "the reader"


def examine(machine: Machine, user: Account, chosen: Chosen, find: Finders) -> list[Finding]:
    """A finding for each NFC reader and scanner that is set; none for what is left to be found."""
    findings: list[Finding] = []
    for path in chosen.nfc if chosen.nfc_enabled else ():
        if path:
            findings.append(_nfc(machine, user, path, chosen, find))
    if chosen.scanner:
        findings += _scanner(machine, user, chosen.scanner, chosen.prefix)
    return findings


def _nfc(machine: Machine, user: Account, path: str, chosen: Chosen, find: Finders) -> Finding:
    make = path.partition(":")[0]
    tell = partial(Finding, "reader_set", subject=f"NFC reader {path}")
    try:
        if make == "udp":
            return tell(CheckStatus.GOOD, evidence="a virtual reader, for demonstrations", again=DEVICES)
        if make == "pcsc":
            return tell(CheckStatus.GOOD, evidence=f"PC/SC has {_slot(path, find)}", again=DEVICES)
        if make != "tty":
            return tell(CheckStatus.GOOD, evidence=f"there is {find.usb(path).name or path}", again=DEVICES)
        from drivers.nfc_transport import SERIAL_DRIVERS

        port, _, driver = path.removeprefix("tty:").rpartition(":")
        wrong = _node(machine, user, port if driver in SERIAL_DRIVERS else path.removeprefix("tty:"))
        if wrong is not None:
            return tell(CheckStatus.BAD, evidence=wrong[0], fix=wrong[1], again=DEVICES)
        if not chosen.open_them:
            seen = "the line is there; not tried, since the running kiosk has it"
            return tell(CheckStatus.GOOD, evidence=seen, again="kmc-kiosk status")
        return tell(CheckStatus.GOOD, evidence=f"{find.answers(path)} answers", again="kmc-kiosk test nfc")
    except EnvironmentFault as fault:
        usual = f"plug it in, look with `{DEVICES}`, or choose another: {CHOOSE}"
        fix = str(fault.detail.get("fix", "")) or usual
        return tell(CheckStatus.BAD, evidence=f"{fault.code}: {fault.message}", fix=fix, again=DEVICES)


def _slot(path: str, find: Finders) -> str:
    wanted = path.removeprefix("pcsc:")
    names = [slot.name for slot in find.slots()]
    for name in names:
        if name.startswith(wanted):
            return name
    there = ", ".join(names) or "none"
    raise EnvironmentFault("reader_missing", f"no PC/SC reader {wanted}; there: {there}", device=path)


def _node(machine: Machine, user: Account, name: str) -> tuple[str, str] | None:
    """What is wrong with a serial line or an input device, and what mends it; None if nothing is."""
    candidates = [name] if name.startswith("/") else [f"/dev/tty{name}", f"/dev/{name}"]
    path = next((one for one in candidates if machine.at(one).exists()), "")
    if not path:
        lines = (machine.at("/dev").glob(f"tty{kind}*") for kind in ("USB", "ACM"))
        there = sorted(found.name for some in lines for found in some)
        seen = f"there is no {candidates[0]}" + (f"; there: {', '.join(there)}" if there else "")
        return seen, f"plug it in, or choose what is there: {CHOOSE}"
    node = machine.at(path)
    try:
        if user.may_use(node):
            return None
        group = group_of(node)
    except OSError as error:
        return f"{path}: {error.strerror}", "unplug it and plug it in again"
    seen = f"{user.name} may not open {path} (group {group})"
    if group in ("root", user.name):
        return seen, f"{SETUP} --user {user.name}"
    return seen, f"sudo usermod -aG {group} {user.name}, then sign in again or start the service again"


def _scanner(machine: Machine, user: Account, path: str, prefix: str) -> Iterator[Finding]:
    make, _, place = path.partition(":")
    again = "kmc-kiosk test scanner"
    tell = partial(Finding, subject=f"scanner {path}", again=again)
    if make != "keyboard":
        wrong = _node(machine, user, place)
        if wrong is None:
            yield tell("scanner_access", CheckStatus.GOOD, evidence=f"{user.name} may open {place}")
        else:
            yield tell("scanner_access", CheckStatus.BAD, evidence=wrong[0], fix=wrong[1])
    elif prefix:
        yield tell("scanner_prefix", CheckStatus.GOOD, evidence=f"what begins with {prefix} is the scanner's")
    else:
        yield tell(
            "scanner_prefix",
            CheckStatus.ATTENTION,
            evidence="no prefix: only its pace tells a scan from a person's typing",
            fix='program the prefix ~Q from its manual\'s sheet, and set readers.scanner.prefix = "~Q"',
        )
