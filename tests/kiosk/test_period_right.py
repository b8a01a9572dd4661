"""Keys of rights: made, taken apart, and refused when a part could be mistaken for another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.period import right_key, split_right, subject_of


def test_a_right_key_and_its_parts() -> None:
    key = right_key(subject_of("holder", 12), "beras", "2026-11")
    assert key == "h12/beras/2026-11"
    assert split_right(key) == ("h12", "beras", "2026-11")
    assert (split_right(key).subject_kind, split_right(key).subject_id) == ("holder", 12)
    family = split_right("f7/pupuk-subsidi/MT1-2026")
    assert (family.subject_kind, family.subject_id) == ("family", 7)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "h12/beras",
        "h12/beras/2026-11/x",
        "h0/beras/2026-11",
        "h012/beras/2026-11",
        "h-1/beras/2026-11",
        "x12/beras/2026-11",
        "h/beras/2026-11",
        "h１２/beras/2026-11",
        "h12/Beras/2026-11",
        "h12/b/2026-11",
        "h12/beras/",
        "h12/beras/-2026",
        "h12/beras/2026 11",
        "h12/beras/2026-11\n",
        "\nh12/beras/2026-11",
        "h12/" + "b" * 41 + "/2026-11",
        "h12/beras/" + "2" * 41,
        "h" + "1" * 19 + "/beras/2026-11",
    ],
)
def test_what_is_no_right_key(key: str) -> None:
    with pytest.raises(ValueError, match="right key"):
        split_right(key)


@pytest.mark.parametrize("number", [0, -1, 10**18])
def test_what_is_no_subject(number: int) -> None:
    with pytest.raises(ValueError, match="not the id"):
        subject_of("family", number)


@given(
    subject=st.from_regex(r"[hf][1-9][0-9]{0,17}", fullmatch=True),
    group=st.from_regex(r"[a-z0-9-]{2,40}", fullmatch=True),
    period_key=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}", fullmatch=True),
)
def test_parts_come_back(subject: str, group: str, period_key: str) -> None:
    assert split_right(right_key(subject, group, period_key)) == (subject, group, period_key)


@given(st.text())
def test_any_text_is_a_key_or_refused(text: str) -> None:
    try:
        parts = split_right(text)
    except ValueError:
        return
    assert right_key(*parts) == text
