"""The English file is in step with the QML, complete, and compiled."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

UI = Path(__file__).parents[2] / "ui"
BIN = Path(sys.executable).parent
TS, QM = UI / "i18n" / "kmc_en.ts", UI / "i18n" / "kmc_en.qm"


def messages(path: Path) -> dict[tuple[str, str], str]:
    """Context and source to translation; unfinished ones are empty."""
    found = {}
    for context in ET.parse(path).getroot().iter("context"):  # noqa: S314  our own file
        for message in context.iter("message"):
            translation = message.find("translation")
            text = "" if translation is None or translation.get("type") else translation.text or ""
            found[context.findtext("name", ""), message.findtext("source", "")] = text
    return found


def tool(*command: str | Path) -> None:
    """Run one of Qt's tools."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_text_of_the_qml_is_in_the_file_and_no_other(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.ts"
    tool(BIN / "pyside6-lupdate", *sorted((UI / "qml").rglob("*.qml")), "-ts", fresh)
    assert set(messages(fresh)) == set(messages(TS))


def test_every_text_has_english(tmp_path: Path) -> None:
    assert [key for key, english in messages(TS).items() if not english] == []


def test_the_compiled_file_is_the_one_of_the_sources(tmp_path: Path) -> None:
    compiled = tmp_path / "kmc_en.qm"
    tool(BIN / "pyside6-lrelease", TS, "-qm", compiled)
    assert compiled.read_bytes() == QM.read_bytes()


def test_placeholders_survive_translation() -> None:
    for (_, source), english in messages(TS).items():
        assert {p for p in ("%1", "%2", "%3") if p in source} == {
            p for p in ("%1", "%2", "%3") if p in english
        }
