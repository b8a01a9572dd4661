"""The language of the screen: Indonesian is the source, English a translation file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, QTranslator
from PySide6.QtQml import QQmlEngine

from kiosk.errors import EnvironmentFault

FOLDER = Path(__file__).with_name("i18n")


class Languages(QObject):
    """Puts English on and off. Raises EnvironmentFault if its file cannot be loaded."""

    def __init__(self, engine: QQmlEngine, parent: QObject) -> None:
        super().__init__(parent)
        self._engine = engine
        self._english = QTranslator(self)
        self._now = "id"
        if not self._english.load(str(FOLDER / "kmc_en.qm")):
            raise EnvironmentFault("translation_missing", f"cannot load {FOLDER / 'kmc_en.qm'}")

    def use(self, language: str) -> None:
        """Show ``id`` or ``en`` from the next frame on."""
        if language == self._now:
            return
        if language == "en":
            QCoreApplication.installTranslator(self._english)
        else:
            QCoreApplication.removeTranslator(self._english)
        self._now = language
        self._engine.retranslate()
