"""``kmc-central``: central from the command line. Exit codes: 0 good, 1 a fault, 2 wrong usage."""

from __future__ import annotations

import argparse
import getpass
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from kiosk.errors import EnvironmentFault, KioskError, OfficerFault
from kiosk.values import Mode
from sync.central import (
    adoption_commands,
    card_batch_commands,
    card_certify,
    card_commands,
    card_rekey_commands,
    demo,
    feed_commands,
    importing,
    journal_commands,
    key_commands,
    kiosk_commands,
    kiosk_rows,
    officer_rows,
    overview,
    placement,
    recovery_commands,
    rights_commands,
    state,
    telling,
)
from sync.central.import_format import MAX_BYTES
from sync.central.paging import add_page
from sync.central.state import Central

HOME_VARIABLE: Final = "KMC_HOME"
DATABASE_VARIABLE: Final = "KMC_CENTRAL_DATABASE"
BRANDING_PREFIX: Final = "KMC_BRANDING__"
DEFAULT_PORT: Final = 8300
Command = Callable[[Central, argparse.Namespace], Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; answers its exit code."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        with closing(_central(options)) as central:
            answer = options.run(central, options)
        if answer is not None:
            _say(answer, options.json)
    except KioskError as fault:
        return _failed(fault, options.json)
    except SQLAlchemyError as fault:
        # The driver's own words may quote a row.
        return _failed(EnvironmentFault("database", type(fault).__name__), options.json)
    except BrokenPipeError:
        # Whoever read the answer went away. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("kmc-central: nobody reads the answer", file=sys.stderr, flush=True)
        return 1
    return 0


def _central(options: argparse.Namespace) -> Central:
    home = Path(options.home or os.environ.get(HOME_VARIABLE) or Path.home() / ".local/share/kmc-central")
    url = options.database or os.environ.get(DATABASE_VARIABLE) or state.default_url(home)
    if options.run is _init:
        return state.init(home, url, Mode(options.mode))
    if opens := getattr(options, "opens", None):
        opened: Central = opens(home, url, options)
        return opened
    return state.open_central(home, url)


def _init(central: Central, _: argparse.Namespace) -> Any:
    return {
        "mode": str(central.mode),
        "incarnation": central.incarnation,
        "home": str(central.home),
        "root_fingerprint": central.keys.root1.kid.hex()[:8].upper(),
    }


def _serve(central: Central, options: argparse.Namespace) -> Any:
    from sync.central.serving import serve

    def listening(url: str) -> None:
        line = json.dumps({"event": "listening", "url": url}) if options.json else f"listening on {url}"
        print(line, flush=True)

    serve(central, options.host, options.port, listening)


def _demo(central: Central, _: argparse.Namespace) -> Any:
    return demo.fill(central)


def _branding(options: argparse.Namespace) -> tuple[str, str]:
    """The card's and the city's names, as ``[branding]`` of the data folder's settings has them."""
    from config.load import load
    from config.mistakes import SettingsFault

    environment = {name: value for name, value in os.environ.items() if name.startswith(BRANDING_PREFIX)}
    home = options.home or os.environ.get(HOME_VARIABLE)
    try:
        loaded = load(environment | ({HOME_VARIABLE: home} if home else {}))
    except SettingsFault as fault:
        mistakes = [mistake.as_json() for mistake in fault.mistakes]
        raise EnvironmentFault("settings_wrong", str(fault), mistakes=mistakes) from fault
    return loaded.settings.branding.card_name, loaded.settings.branding.city


def _kiosk_add(central: Central, options: argparse.Namespace) -> Any:
    kiosk_rows.add(central, options.kiosk, options.point, options.counter, options.keeper)
    placement.place(central)
    return {"kiosk": options.kiosk, "state": "new"}


def _kiosk_list(central: Central, options: argparse.Namespace) -> Any:
    return kiosk_rows.listed(central, options.after, options.limit)


def _kiosk_revoke(central: Central, options: argparse.Namespace) -> Any:
    kiosk_rows.revoke(central, options.kiosk)
    return {"kiosk": options.kiosk, "state": "revoked"}


def _officer_add(central: Central, options: argparse.Namespace) -> Any:
    officer_rows.add(
        central, options.username, options.name, options.role, options.point, options.until, _pin()
    )
    return {"username": options.username}


def _officer_list(central: Central, options: argparse.Namespace) -> Any:
    return officer_rows.listed(central, options.after, options.limit)


def _officer_set_pin(central: Central, options: argparse.Namespace) -> Any:
    officer_rows.set_pin(central, options.username, _pin())
    return {"username": options.username}


def _pin() -> str:
    """From a prompt, or the first line of standard input; never from an argument."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    pin = getpass.getpass("PIN: ")
    if getpass.getpass("Again: ") != pin:
        raise OfficerFault("pin_differs", "the two PINs differ")
    return pin


def _import(central: Central, options: argparse.Namespace) -> Any:
    try:
        with Path(options.file).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as fault:
        raise EnvironmentFault("file_unreadable", f"{options.file}: {fault.strerror}") from fault
    return importing.import_raw(central, raw)


def _status(central: Central, _: argparse.Namespace) -> Any:
    return overview.status(central)


def _failed(fault: KioskError, as_json: bool) -> int:
    told: dict[str, Any] = {"code": fault.code, "message": fault.message}
    told |= {name: fault.detail[name] for name in ("mistakes", "report") if name in fault.detail}
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
        return 1
    print(f"{fault.code}: {fault.message}", file=sys.stderr)
    for finding in told.get("report", {}).get("findings", ()):
        print(f"  {json.dumps(finding, ensure_ascii=False)}", file=sys.stderr)
    for mistake in told.get("mistakes", ()):
        print("  " + ": ".join(str(part) for part in mistake.values()), file=sys.stderr)
    return 1


def _say(answer: Any, as_json: bool) -> None:
    print(json.dumps(answer, ensure_ascii=False) if as_json else telling.as_text(answer), flush=True)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="answer in JSON")
    shared.add_argument("--home", help=f"data folder (else ${HOME_VARIABLE})")
    shared.add_argument(
        "--database", metavar="URL", help=f"else ${DATABASE_VARIABLE}, else SQLite in the folder"
    )
    parser = argparse.ArgumentParser(prog="kmc-central", description="The reference central server.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(group: Any, name: str, run: Command, words: str) -> argparse.ArgumentParser:
        found: argparse.ArgumentParser = group.add_parser(
            name, parents=[shared], help=words, description=words
        )
        found.set_defaults(run=run)
        return found

    def group(name: str, words: str) -> Any:
        found = commands.add_parser(name, help=words, description=words)
        return found.add_subparsers(dest=f"{name}_command", required=True, metavar="COMMAND")

    one = add(commands, "init", _init, "create keys and tables, or bring the tables up to date")
    one.add_argument("--mode", choices=[str(mode) for mode in Mode], default=str(Mode.PRODUCTION))
    one = add(commands, "serve", _serve, "serve kiosks until a signal comes")
    one.add_argument("--host", default="127.0.0.1")
    one.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    add(commands, "demo", _demo, "fill demonstration data, once")
    one = add(commands, "import", _import, "import a document of an agency or the city")
    one.add_argument("file", metavar="FILE")
    add(commands, "status", _status, "how central stands")

    card = group("card", "cards")
    card_batch_commands.register(card, add, card_commands.register(card, add), _branding)

    card_certify.register(card, add)
    card_rekey_commands.register(card, add)

    kiosk = group("kiosk", "kiosks")
    one = add(kiosk, "add", _kiosk_add, "register a kiosk")
    one.add_argument("kiosk", metavar="KIOSK")
    one.add_argument("--point", type=int, required=True)
    one.add_argument("--counter", default="Loket 1")
    one.add_argument("--keeper", action="store_true", help="the point's rights lie at this kiosk")
    kiosk_commands.register(kiosk, add)
    feed_commands.register(kiosk, add)
    add_page(add(kiosk, "list", _kiosk_list, "list kiosks"), kiosk_rows.PAGE)
    one = add(kiosk, "revoke", _kiosk_revoke, "revoke a lost or stolen kiosk")
    one.add_argument("kiosk", metavar="KIOSK")

    key_commands.register(group, add)

    officer = group("officer", "officers")
    one = add(officer, "add", _officer_add, "register an officer; the PIN comes from a prompt or stdin")
    one.add_argument("username")
    one.add_argument("--name", required=True)
    one.add_argument("--role", choices=officer_rows.ROLES, default="officer")
    one.add_argument("--point", type=int, required=True)
    one.add_argument("--until", type=date.fromisoformat, required=True, metavar="YYYY-MM-DD")
    add_page(add(officer, "list", _officer_list, "list officers"), officer_rows.PAGE)
    one = add(officer, "set-pin", _officer_set_pin, "give an officer a PIN, from a prompt or stdin")
    one.add_argument("username")

    adoption_commands.register(card, officer, add)

    rights_commands.register(add, group, commands)

    journal_commands.register(add, group)

    recovery_commands.register(commands, add, group)
    return parser


if __name__ == "__main__":
    sys.exit(main())
