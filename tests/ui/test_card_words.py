"""Every fault of a card has words for the citizen and the officer, and a message for the technician."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.credential import _STRUCTURE_CODES, NOTHING_ON_CARD

ROOT = Path(__file__).parents[2]
WORDS = (ROOT / "ui/qml/Kmc/Words.qml").read_text("utf-8")
READING = ("kiosk/*.py", "drivers/*.py", "drivers/chips/*.py")
DENIED = {f"card_{reason}" for reason in ("lost", "stolen", "replaced", "revoked", "deceased")}
WRITING = re.compile(r".*(writ|personalise).*")
"""Modules of the writing station, whose faults its own command says; no citizen stands there."""


def raised() -> Iterator[tuple[str, str, ast.Call]]:
    """Code, place and call of every CardFault that is made with a plain code."""
    for pattern in READING:
        for path in sorted(ROOT.glob(pattern)):
            if WRITING.fullmatch(path.stem):
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "CardFault"
                ):
                    for code in codes_in(node.args[0]):
                        yield code, f"{path.relative_to(ROOT)}:{node.lineno}", node


def codes_in(value: ast.expr) -> set[str]:
    """The codes that stand in an expression."""
    texts = (node.value for node in ast.walk(value) if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str) and re.fullmatch(r"card_[a-z_]+", text)}


def cases(function: str) -> set[str]:
    """The codes that a function of Words.qml has words for, its default left aside."""
    begin = WORDS.index(f"function {function}(")
    body = WORDS[begin : WORDS.index("\n    }\n", begin)]
    return set(re.findall(r'case "(card_[a-z_]+)":', body))


CODES = {code for code, _, _ in raised()} | set(_STRUCTURE_CODES.values()) | DENIED | NOTHING_ON_CARD


def test_the_codes_are_found() -> None:
    assert {"card_two", "card_bad_signature", "card_malformed", "card_too_small", "card_downgrade"} <= CODES
    assert len(CODES) >= 30


@pytest.mark.parametrize("function", ["cardFault", "officerCardFault"])
def test_every_code_has_words_of_its_own(function: str) -> None:
    assert sorted(CODES - cases(function)) == []


def test_every_fault_has_a_message_for_the_technician() -> None:
    bare = [place for _, place, call in raised() if len(call.args) < 2]
    assert bare == []


def test_officers_words_tell_what_to_do_or_what_is_wrong() -> None:
    begin = WORDS.index("function officerCardFault(")
    said = re.findall(r'return qsTr\("([^"]+)"\)', WORDS[begin:])
    assert all(len(words) <= 90 and words.endswith(".") for words in said)
