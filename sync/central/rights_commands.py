"""Commands about rights: stories, write-offs, void requests, stock, accounts of staff, cases, the audit."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kiosk.errors import OfficerFault
from sync.central import accounts, audit, cases, holder_merge, orders, stock, story, writeoff
from sync.central.paging import add_page
from sync.central.state import Central

Command = Callable[[Central, argparse.Namespace], Any]
Add = Callable[[Any, str, Command, str], argparse.ArgumentParser]
Group = Callable[[str, str], Any]


def register(add: Add, group: Group, commands: Any) -> None:
    """Puts the commands into ``kmc-central``'s parser."""
    right = group("right", "rights")
    one = add(right, "show", _show, "one right's whole story, in order, and where it lies now")
    one.add_argument("right", metavar="KEY")
    one = add(right, "writeoff", _writeoff, "ask for what is in doubt to be written off")
    scope = one.add_mutually_exclusive_group(required=True)
    scope.add_argument("--right", default="", metavar="KEY", help="this right alone")
    scope.add_argument("--kiosk", default="", help="everything in doubt of one generation of this kiosk")
    one.add_argument("--gen", type=int, help="else the newest one that is lost")
    _add_asking(one)
    one = add(right, "approve", _approve, "the second signature: frees what a write-off names")
    one.add_argument("id", metavar="ID")
    _add_signing(one)
    add_page(add(right, "writeoffs", _writeoffs, "list write-offs with who signed, oldest first"))
    one = add(right, "void-request", _void_request, "ask the kiosk that handed a pickup out to void it")
    one.add_argument("ref", metavar="REF")
    _add_asking(one)
    add_page(add(right, "void-requests", _void_requests, "list the voids that were asked for, oldest first"))

    account = group("account", "accounts of central's staff")
    one = add(account, "add", _account_add, "register an account and write its new key to a file")
    one.add_argument("name")
    one.add_argument("--key-file", type=Path, required=True, help="written with mode 0400; must not exist")
    one.add_argument("--role", choices=accounts.ROLES, default=accounts.STAFF)
    one = add(account, "close", _account_close, "end an account; what it signed stands")
    one.add_argument("name")
    add_page(add(account, "list", _account_list, "list accounts"))

    goods = group("stock", "stock slices")
    one = add(goods, "allot", _stock_allot, "allot a quantity of a program's goods to a kiosk")
    one.add_argument("program", metavar="PROGRAM")
    one.add_argument("kiosk", metavar="KIOSK")
    one.add_argument("quantity", type=int, metavar="QUANTITY", help="in the benefit's smallest unit")
    one = add(goods, "show", _stock_show, "slices and what is left of them")
    one.add_argument("--program", default="")
    one.add_argument("--kiosk", default="")
    add_page(one)

    case = group("case", "cases that people settle")
    one = add(case, "list", _case_list, "list cases, newest first")
    one.add_argument(
        "--exposures", action="store_true", help="what was handed out as granted though cut since"
    )
    add_page(one)

    holder = group("holder", "holders")
    one = add(holder, "merge", _holder_merge, "make two records of one person one")
    one.add_argument("keep", type=int, metavar="KEEP", help="id of the holder who stays")
    one.add_argument("gone", type=int, metavar="GONE", help="id of the holder who becomes part of that one")

    add(commands, "audit", _audit, "walk every chain and count every right again; exit code 1 if wrong")


def _add_asking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True)
    _add_signing(parser)


def _add_signing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--account", required=True, metavar="NAME", help="who signs")
    parser.add_argument("--key-file", type=Path, required=True, metavar="FILE")


def _signer(options: argparse.Namespace) -> accounts.Signer:
    return accounts.signer(options.account, options.key_file)


def _show(central: Central, options: argparse.Namespace) -> Any:
    told = story.tell(central, options.right)
    return told if options.json else story.as_text(told)


def _writeoff(central: Central, options: argparse.Namespace) -> Any:
    by = _signer(options)
    if options.right:
        made = writeoff.ask_for_right(central, options.right, options.reason, by)
    else:
        made = writeoff.ask_for_kiosk(central, options.kiosk, options.gen, options.reason, by)
    return {"id": made, "state": writeoff.ASKED}


def _approve(central: Central, options: argparse.Namespace) -> Any:
    return writeoff.approve(central, options.id, _signer(options))


def _writeoffs(central: Central, options: argparse.Namespace) -> Any:
    return writeoff.listed(central, options.after, options.limit)


def _void_request(central: Central, options: argparse.Namespace) -> Any:
    return orders.request_void(central, options.ref, options.reason, _signer(options))


def _void_requests(central: Central, options: argparse.Namespace) -> Any:
    return orders.listed(central, options.after, options.limit)


def _account_add(central: Central, options: argparse.Namespace) -> Any:
    accounts.add(central, options.name, options.key_file, options.role)
    return {"name": options.name, "role": options.role, "key_file": str(options.key_file)}


def _account_close(central: Central, options: argparse.Namespace) -> Any:
    accounts.close(central, options.name)
    return {"name": options.name, "state": accounts.CLOSED}


def _account_list(central: Central, options: argparse.Namespace) -> Any:
    return accounts.listed(central, options.after, options.limit)


def _stock_allot(central: Central, options: argparse.Namespace) -> Any:
    return stock.allot(central, options.program, options.kiosk, options.quantity)


def _stock_show(central: Central, options: argparse.Namespace) -> Any:
    return stock.show(central, options.program, options.kiosk, options.after, options.limit)


def _case_list(central: Central, options: argparse.Namespace) -> Any:
    return cases.listed(central, exposures=options.exposures, after=options.after, limit=options.limit)


def _holder_merge(central: Central, options: argparse.Namespace) -> Any:
    return holder_merge.merge(central, options.keep, options.gone)


def _audit(central: Central, options: argparse.Namespace) -> Any:
    report = audit.audit(central)
    told = report.as_json()
    if report.code:
        raise OfficerFault(report.code, audit.summary(report), report=told)
    return told if options.json else audit.as_text(report)
