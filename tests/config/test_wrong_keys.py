"""Whatever keys a technician invents: nothing crashes, each one is reported, with its line."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from config.keys import key_of, nearest_key, sections, settings_by_path
from config.lines import lines_of_keys
from config.load import ENVIRONMENT, load
from config.mistakes import SettingsFault

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20)
NEAR = st.sampled_from(sorted({part for path in settings_by_path() for part in path})).flatmap(
    lambda word: st.sampled_from([word + "s", word[:-1] + "q", word.upper(), word.replace("_", "-") + "-"])
)
KEYS = st.one_of(TEXT, NEAR)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([(), *sorted(sections())]), st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_wrong_keys_in_the_file_are_all_reported(section: tuple[str, ...], wrong: dict[str, Any]) -> None:
    taken = {path[len(section)] for path in settings_by_path() if path[: len(section)] == section}
    wrong = {key: value for key, value in wrong.items() if key not in taken}
    document: dict[str, Any] = {}
    inner = document
    for part in section:
        inner = inner.setdefault(part, {})
    inner.update(wrong)
    text = tomlkit.dumps(document)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kiosk.toml"
        file.write_text(text, "utf-8", newline="")
        if not wrong:
            load({"KMC_HOME": folder})
            return
        with pytest.raises(SettingsFault) as caught:
            load({"KMC_HOME": folder})
    found = caught.value.mistakes
    assert {mistake.key for mistake in found} == {key_of((*section, key)) for key in wrong}
    assert all(
        mistake.line is not None and mistake.problem == "there is no such setting" for mistake in found
    )
    assert all(str(mistake) for mistake in found)


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="ascii", exclude_characters="=\x00"), min_size=1, max_size=20), TEXT)
def test_wrong_variables_are_reported(rest: str, value: str) -> None:
    name = f"KMC_CENTRAL__{rest}"
    if name in {setting.variable for setting in settings_by_path().values()}:
        return
    with tempfile.TemporaryDirectory() as folder, pytest.raises(SettingsFault) as caught:
        load({"KMC_HOME": folder, name: value})
    assert [(m.where, m.key) for m in caught.value.mistakes] == [(ENVIRONMENT, name)]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_settings_or_mistakes(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kiosk.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            found = len(load({"KMC_HOME": folder}).origins)
        except SettingsFault as fault:
            found = len(fault.mistakes)
    assert found


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_every_key_of_a_valid_text_has_its_line(data: dict[str, Any]) -> None:
    text = tomlkit.dumps(data)
    lines = lines_of_keys(text)
    for key in data:
        assert 1 <= lines[(key,)] <= text.count("\n") + 1


@given(TEXT)
def test_the_nearest_key_is_a_key(word: str) -> None:
    nearest = nearest_key((word,))
    assert nearest is None or nearest in settings_by_path() or nearest in sections()
