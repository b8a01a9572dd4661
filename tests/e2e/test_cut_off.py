"""Two kiosks cut off from central and from each other: one right is handed out once, wherever people go."""

from __future__ import annotations

import pytest

from tests.e2e.town import (
    CHECK,
    FARMER,
    FATHER,
    FERTILISER,
    IRINGMULYO,
    MOTHER,
    RICE,
    SEED,
    KioskAt,
    Town,
)

pytestmark = pytest.mark.slow


def refused_elsewhere(kiosk: KioskAt, card: str, program: str, place: str = IRINGMULYO) -> None:
    """A kiosk without the right refuses and says where to go."""
    outcome = kiosk.confirm(card, program)
    assert (outcome.code, outcome.fault) == (1, "held_elsewhere")
    assert outcome.answer["family"] == "officer"
    assert outcome.answer["detail"]["place"] == place


def heal(town: Town, *kiosks: KioskAt) -> None:
    """Central comes back and every kiosk syncs."""
    town.start_central()
    for kiosk in kiosks:
        code, answer = kiosk.sync()
        assert code == 0, answer
        assert answer["waiting"] == 0


def test_one_kiosk_hands_out_and_the_other_says_where(any_town: Town) -> None:
    a, b = any_town.kiosk("IRM1"), any_town.kiosk("HDM1")
    right = a.row(MOTHER, CHECK)["right"]
    code, pickup = a.confirm(MOTHER, CHECK)
    assert code == 0
    refused_elsewhere(b, MOTHER, CHECK)
    assert any_town.books().handed == []

    heal(any_town, a, b)
    books = any_town.books()
    assert [one.ref for one in books.handed_of(right)] == [pickup["ref"]]
    assert len(books.handed) == 1
    assert books.spent == {right: 1}
    assert books.cases == []
    assert books.types["refusal"] == 1
    # The journal of the kiosk that handed out came first, so the other one knows after one round.
    row = b.row(MOTHER, CHECK)
    assert (row["state"], row["place"], row["date"]) == ("taken", IRINGMULYO, pickup["at"][:10])
    outcome = b.confirm(MOTHER, CHECK)
    assert (outcome.code, outcome.fault, outcome.answer["detail"]["place"]) == (
        1,
        "already_taken",
        IRINGMULYO,
    )
    code, told = any_town.central("right", "show", right)
    assert code == 0
    assert [(one["ref"], bool(one["voided"])) for one in told["pickups"]] == [(pickup["ref"], False)]
    assert (told["spent"], told["held_by"]) == (1, "IRM1")


def test_handed_out_taken_back_and_handed_out_again(town: Town) -> None:
    a, b = town.kiosk("IRM1"), town.kiosk("HDM1")
    first = a.confirm(MOTHER, CHECK).answer["ref"]
    refused_elsewhere(b, MOTHER, CHECK)
    code, voided = a.void(first)
    assert (code, voided["ref"], voided["voided"]) == (0, first, True)
    refused_elsewhere(b, MOTHER, CHECK)
    code, second = a.confirm(MOTHER, CHECK)
    assert code == 0
    refused_elsewhere(b, MOTHER, CHECK)
    assert a.void(first).fault == "already_voided"

    heal(town, a, b)
    books = town.books()
    assert [one.ref for one in books.handed] == [second["ref"]]
    assert (books.types["dispense"], books.types["void"], books.types["refusal"]) == (2, 1, 3)
    assert list(books.spent.values()) == [1]
    assert b.row(MOTHER, CHECK)["state"] == "taken"
    assert a.confirm(MOTHER, CHECK).fault == "already_taken"


def test_taken_back_and_left_so(town: Town) -> None:
    a, b = town.kiosk("IRM1"), town.kiosk("HDM1")
    ref = a.confirm(MOTHER, CHECK).answer["ref"]
    assert a.void(ref, "never_left").code == 0
    refused_elsewhere(b, MOTHER, CHECK)

    heal(town, a, b)
    books = town.books()
    assert (books.handed, books.spent, books.cases) == ([], {}, [])
    row = b.row(MOTHER, CHECK)
    assert (row["state"], row["place"]) == ("held_elsewhere", IRINGMULYO)
    assert a.row(MOTHER, CHECK)["state"] == "ready"


def test_a_familys_rice_on_two_members_cards(town: Town) -> None:
    a, b, second_counter = town.kiosk("IRM1"), town.kiosk("HDM1"), town.kiosk("IRM2")
    code, pickup = a.confirm(MOTHER, RICE)
    assert (code, pickup["quantity"]) == (0, 10_000)
    outcome = a.confirm(FATHER, RICE)
    assert (outcome.code, outcome.fault) == (1, "already_taken")
    assert outcome.answer["detail"]["by"] == pickup["ref"]
    refused_elsewhere(b, FATHER, RICE)
    refused_elsewhere(second_counter, FATHER, RICE, "Loket 1")

    heal(town, a, b, second_counter)
    books = town.books()
    assert [(one.ref, one.card, one.spends) for one in books.handed] == [(pickup["ref"], MOTHER, 10_000)]
    for kiosk in (b, second_counter):
        row = kiosk.row(FATHER, RICE)
        assert (row["state"], row["place"]) == ("taken", IRINGMULYO)


def test_fertiliser_taken_closes_seed(town: Town) -> None:
    a, b = town.kiosk("IRM1"), town.kiosk("HDM1")
    assert a.row(FARMER, SEED)["state"] == "needs_document"
    right = a.row(FARMER, SEED)["right"]
    assert a.row(FARMER, FERTILISER)["right"] == right
    code, pickup = a.confirm(FARMER, FERTILISER)
    assert (code, pickup["quantity"]) == (0, 50_000)
    assert a.row(FARMER, SEED)["state"] == "taken"
    assert a.confirm(FARMER, SEED).fault == "already_taken"
    refused_elsewhere(b, FARMER, SEED)
    refused_elsewhere(b, FARMER, FERTILISER)

    heal(town, a, b)
    books = town.books()
    assert [(one.right, one.program) for one in books.handed] == [(right, FERTILISER)]
    for program in (FERTILISER, SEED):
        row = b.row(FARMER, program)
        assert (row["state"], row["place"]) == ("taken", IRINGMULYO)


def test_seed_taken_back_opens_fertiliser(town: Town) -> None:
    a = town.kiosk("IRM1")
    code, seed = a.confirm(FARMER, SEED)
    assert (code, seed["quantity"]) == (0, 10_000)
    assert a.confirm(FARMER, FERTILISER).fault == "already_taken"
    assert a.void(seed["ref"]).code == 0
    code, fertiliser = a.confirm(FARMER, FERTILISER)
    assert (code, fertiliser["quantity"]) == (0, 50_000)
    heal(town, a)
    assert [(one.program, one.quantity) for one in town.books().handed] == [(FERTILISER, 50_000)]
