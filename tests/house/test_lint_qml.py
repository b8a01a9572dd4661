"""The QML lint sees through to the view-models in Python."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.lint_qml import lint

MODELS = """
from PySide6.QtCore import Property, QAbstractListModel, QObject, Signal, Slot
from PySide6.QtQml import QmlElement, QmlUncreatable

QML_IMPORT_NAME = "Parts"
QML_IMPORT_MAJOR_VERSION = 1


@QmlElement
@QmlUncreatable("made by Python")
class Rows(QAbstractListModel):
    changed = Signal()

    @Property(int, notify=changed)
    def count(self):
        return 1


@QmlElement
@QmlUncreatable("made by Python")
class Desk(QObject):
    changed = Signal()

    @Property(str, notify=changed)
    def holderName(self):
        return ""

    @Property(Rows, constant=True)
    def rows(self):
        return self._rows

    @Slot(str, result=bool)
    def take(self, right):
        return True
"""

SCREEN = """
import QtQuick
import Parts

Item {
    id: root

    required property Desk desk
    readonly property int many: root.desk.rows.count

    Text {
        text: root.desk.holderName
    }
    TapHandler {
        onTapped: root.desk.take("h1/beras/2026-11")
    }
}
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder like ``ui/`` with one view-model file and one screen."""
    folder = tmp_path / "screens"
    (folder / "qml").mkdir(parents=True)
    (folder / "models.py").write_text(MODELS)
    (folder / "qml" / "Screen.qml").write_text(SCREEN)
    return folder


def test_a_sound_screen_passes(sources: Path, tmp_path: Path) -> None:
    assert lint(sources, tmp_path / "work") == []


@pytest.mark.parametrize(
    ("right", "wrong", "word"),
    [
        ("desk.holderName", "desk.holderNmae", "holderNmae"),
        ("rows.count", "rows.cuont", "cuont"),
        ("desk.take", "desk.taek", "taek"),
        ("property Desk desk", "property Dsek desk", "Dsek"),
    ],
)
def test_a_misspelt_name_in_qml_fails(
    sources: Path, tmp_path: Path, right: str, wrong: str, word: str
) -> None:
    screen = sources / "qml" / "Screen.qml"
    screen.write_text(SCREEN.replace(right, wrong))
    assert word in "\n".join(lint(sources, tmp_path / "work"))


def test_a_name_changed_in_python_fails(sources: Path, tmp_path: Path) -> None:
    (sources / "models.py").write_text(MODELS.replace("def holderName", "def fullName"))
    assert "holderName" in "\n".join(lint(sources, tmp_path / "work"))


def test_a_folder_without_screens_fails(sources: Path, tmp_path: Path) -> None:
    shutil.rmtree(sources / "qml")
    (sources / "qml").mkdir()
    assert lint(sources, tmp_path / "work")
