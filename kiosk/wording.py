"""Short texts in both languages of the screen, as program documents carry them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from kiosk.values import Text

MAX_CHARACTERS = 80
"""Longest text a document may carry: two lines on the citizen's screen."""


def _text(value: Any) -> Text:
    if isinstance(value, Text):
        value = {"id": value.id, "en": value.en}
    if not isinstance(value, dict) or set(value) != {"id", "en"}:
        raise ValueError("a text has exactly the languages id and en")
    for language, words in value.items():
        if not isinstance(words, str) or not words or words != words.strip() or not words.isprintable():
            raise ValueError(
                f"the text in {language} is empty, not printable, or begins or ends with a space"
            )
        if len(words) > MAX_CHARACTERS:
            raise ValueError(f"the text in {language} is longer than {MAX_CHARACTERS} characters")
    return Text(id=value["id"], en=value["en"])


DocumentText = Annotated[
    Text,
    BeforeValidator(_text),
    PlainSerializer(lambda text: {"id": text.id, "en": text.en}, return_type=dict[str, str]),
]
"""A ``Text`` read from ``{"id": …, "en": …}``: both languages, neither empty, nothing else."""
