"""How a column of the feed travels: each packed on its own, so that a page compresses well. Pure.

A packed column is a JSON object with one of these forms:
``{"c": value}`` the same value in every row; ``{"d": [first, step, …]}`` whole numbers by their differences;
``{"w": [words], "i": [places]}`` few different values; ``{"w": …, "i": …, "n": packed}`` a word followed by a
whole number, such as ``h12``; ``{"v": [values]}`` anything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

FEW: Final = 4
"""A column with fewer than one different value in so many rows is packed as words and places."""
_WORD_AND_NUMBER: Final = re.compile(r"([A-Za-z]{1,4})([1-9][0-9]{0,15})")


class PackedFault(ValueError):
    """A packed column that is none, or not as long as it should be."""


def pack(values: Sequence[Any]) -> dict[str, Any]:
    """A column packed in the form that is likely to compress best; every form gives the same values back."""
    if not values:
        return {"v": []}
    kinds = set(map(type, values))
    if kinds == {int}:
        first = values[0]
        if values.count(first) == len(values):
            return {"c": first}
        return {"d": [first, *(later - before for before, later in pairwise(values))]}
    if not (kinds <= {str, type(None)} or kinds <= {int, type(None)}):
        return {"v": list(values)}  # values of other kinds may be equal and not the same: 1, 1.0, true
    words = list(dict.fromkeys(values))
    if len(words) == 1:
        return {"c": words[0]}
    if len(words) * FEW <= len(values):
        places = {word: place for place, word in enumerate(words)}
        return {"w": words, "i": [places[value] for value in values]}
    if kinds == {str} and _WORD_AND_NUMBER.fullmatch(values[0]):
        found = [_WORD_AND_NUMBER.fullmatch(value) for value in values]
        if all(found):
            letters = pack([one[1] for one in found if one])
            return _always_words(letters) | {"n": pack([int(one[2]) for one in found if one])}
    return {"v": list(values)}


def unpack(packed: Any, count: int) -> list[Any]:
    """The values of a packed column of ``count`` rows; what kind of value they are is not looked at.

    Raises PackedFault.
    """
    if not isinstance(packed, dict):
        raise PackedFault("a packed column is no object")
    form = _FORMS.get("".join(sorted(packed)))
    if form is None:
        raise PackedFault("a form of packing that is not known")
    values = form(packed, count)
    if len(values) != count:
        raise PackedFault(f"{len(values)} values in the place of {count}")
    return values


def _always_words(packed: dict[str, Any]) -> dict[str, Any]:
    """The words before the numbers, in the ``w`` and ``i`` form also where there is only one."""
    if "c" in packed:
        return {"w": [packed["c"]], "i": []}
    if "v" in packed:
        words = list(dict.fromkeys(packed["v"]))
        return {"w": words, "i": [words.index(value) for value in packed["v"]]}
    return packed


def _constant(packed: dict[str, Any], count: int) -> list[Any]:
    if isinstance(packed["c"], list | dict):
        raise PackedFault("a value that is none")
    return [packed["c"]] * count


def _numbers(packed: dict[str, Any], _count: int) -> list[Any]:
    steps = packed["d"]
    if not isinstance(steps, list) or not set(map(type, steps)) <= {int}:
        raise PackedFault("differences that are no whole numbers")
    return list(accumulate(steps))


def _words(packed: dict[str, Any], _count: int) -> list[Any]:
    words, places = packed["w"], packed["i"]
    if not isinstance(words, list) or not isinstance(places, list) or not set(map(type, places)) <= {int}:
        raise PackedFault("places that are no whole numbers")
    if places and not (min(places) >= 0 and max(places) < len(words)):
        raise PackedFault("a place where no word stands")
    return list(map(words.__getitem__, places))


def _words_and_numbers(packed: dict[str, Any], count: int) -> list[Any]:
    if packed["i"] == [] and isinstance(packed["w"], list) and len(packed["w"]) == 1:
        words = packed["w"] * count
    else:
        words = _words(packed, count)
    numbers = unpack(packed["n"], count)
    if len(words) != count or not set(map(type, words)) <= {str} or not set(map(type, numbers)) <= {int}:
        raise PackedFault("a word and a number are expected")
    return [f"{word}{number}" for word, number in zip(words, numbers, strict=True)]


def _plain(packed: dict[str, Any], _count: int) -> list[Any]:
    if not isinstance(packed["v"], list):
        raise PackedFault("values that are no list")
    return packed["v"]


_FORMS: Final[dict[str, Callable[[dict[str, Any], int], list[Any]]]] = {
    "c": _constant,
    "d": _numbers,
    "iw": _words,
    "inw": _words_and_numbers,
    "v": _plain,
}
