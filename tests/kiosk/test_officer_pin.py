"""Officers' PINs: kept so that a stolen cache does not tell them, chosen so that a guess does not."""

from __future__ import annotations

import statistics
import time

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import officer_pin
from kiosk.errors import CentralFault, OfficerFault

PEPPER = bytes(range(32))
PIN = "481620"
HASHED = officer_pin.hash_pin(PIN, "rina", PEPPER)


def test_a_pin_holds_for_its_officer_and_pepper_only() -> None:
    assert officer_pin.pin_holds(HASHED, PIN, "rina", PEPPER)
    assert not officer_pin.pin_holds(HASHED, "481621", "rina", PEPPER)
    assert not officer_pin.pin_holds(HASHED, PIN, "rini", PEPPER)
    assert not officer_pin.pin_holds(HASHED, PIN, "rina", bytes(32))
    assert not officer_pin.pin_holds(HASHED, "", "rina", PEPPER)
    assert not officer_pin.pin_holds(HASHED, PIN + "\ud800", "rina", PEPPER)


def test_a_user_name_is_the_same_in_capitals() -> None:
    assert officer_pin.pin_holds(HASHED, PIN, "Rina", PEPPER)


def test_name_and_pin_do_not_run_into_each_other() -> None:
    hashed = officer_pin.hash_pin("4816207", "a", PEPPER)
    assert not officer_pin.pin_holds(hashed, "816207", "a4", PEPPER)


def test_the_same_pin_is_kept_differently_each_time_and_never_in_the_open() -> None:
    again = officer_pin.hash_pin(PIN, "rina", PEPPER)
    assert again != HASHED
    assert again.startswith("$argon2id$v=19$m=19456,t=6,p=1$")
    assert PIN not in again


def test_without_the_pepper_the_hash_is_that_of_no_pin() -> None:
    for guess in (PIN, f"rina{PIN}"):
        with pytest.raises(argon2.exceptions.VerifyMismatchError):
            argon2.PasswordHasher().verify(HASHED, guess)


@pytest.mark.parametrize("pepper", [b"", bytes(31), bytes(33)])
def test_a_pepper_of_another_size_is_refused(pepper: bytes) -> None:
    with pytest.raises(ValueError, match="32"):
        officer_pin.hash_pin(PIN, "rina", pepper)
    with pytest.raises(ValueError, match="32"):
        officer_pin.pin_holds(HASHED, PIN, "rina", pepper)


@pytest.mark.parametrize(
    "hashed",
    [
        "",
        "481620",
        "$2b$12$abcdefghijklmnopqrstuv",
        HASHED[:-5],
        HASHED.replace("argon2id", "argon2i"),
        HASHED.replace("argon2id", "argon2d"),
        HASHED.replace("m=19456", "m=4194304"),
        HASHED.replace("t=6", "t=100000"),
        HASHED.replace("p=1", "p=64"),
        HASHED.replace("m=19456", "m=1"),
        HASHED.replace("m=19456", "m=-1"),
        HASHED.replace("m=19456", "m=x"),
        "$argon2id$v=19$m=19456,t=6,p=1$$",
        "$argon2id$v=19$m=19456,t=6,p=1$!!!!$????",
        "$argon2id$",
        "\ud800",
        "\u00e9",
    ],
    ids=lambda _: "hashed",  # salted: the same name in every worker
)
def test_a_damaged_or_costly_hash_is_a_fault_and_no_answer(hashed: str) -> None:
    started = time.process_time()
    with pytest.raises(CentralFault) as raised:
        officer_pin.pin_holds(hashed, PIN, "rina", PEPPER)
    assert raised.value.code == "officer_damaged"
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("pin", ["481620", "0099887", "170845", "999998", "123457", "121213", "123456789013"])
def test_a_pin_that_may_be_chosen(pin: str) -> None:
    officer_pin.check_pin(pin)


@pytest.mark.parametrize(
    ("pin", "code"),
    [
        ("", "pin_not_digits"),
        ("48162a", "pin_not_digits"),
        ("48 162", "pin_not_digits"),
        ("\u0664\u0668\u0661\u0666\u0662\u0660", "pin_not_digits"),
        ("\u00b2\u00b2\u00b2\u00b2\u00b2\u00b2", "pin_not_digits"),
        ("48162", "pin_length"),
        ("4816204816204", "pin_length"),
        ("000000", "pin_too_simple"),
        ("7777777", "pin_too_simple"),
        ("123456", "pin_too_simple"),
        ("654321", "pin_too_simple"),
        ("890123", "pin_too_simple"),
        ("3210987", "pin_too_simple"),
        ("121212", "pin_too_simple"),
        ("123123", "pin_too_simple"),
        ("12312312", "pin_too_simple"),
        ("112233", "pin_too_simple"),
    ],
)
def test_a_pin_that_may_not(pin: str, code: str) -> None:
    with pytest.raises(OfficerFault) as raised:
        officer_pin.check_pin(pin)
    assert raised.value.code == code
    with pytest.raises(OfficerFault):
        officer_pin.hash_pin(pin, "rina", PEPPER)
    assert not pin or pin not in str(raised.value)


def test_the_delays() -> None:
    assert [officer_pin.delay_after(count) for count in range(13)] == [
        *(0, 0, 0),
        *(2, 4, 8, 16, 32, 64, 128, 256, 512),
        900,
    ]


@given(st.integers(0, 10**9))
def test_a_delay_never_shrinks_nor_passes_a_quarter_of_an_hour(failures: int) -> None:
    assert officer_pin.delay_after(failures) <= officer_pin.delay_after(failures + 1) <= 900.0


def test_a_guess_costs_time_and_an_officer_not_much() -> None:
    spent = []
    for _ in range(5):
        started = time.process_time()
        officer_pin.pin_holds(HASHED, PIN, "rina", PEPPER)
        spent.append(time.process_time() - started)
    assert 0.01 < statistics.median(spent) < 1.5
