"""Qt set up for our screens: software rendering, the bundled font, our QML, Qt's own messages in the log."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from PySide6.QtCore import QtMsgType, QUrl
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtQml import QQmlApplicationEngine
from PySide6.QtQuick import QQuickWindow

from kiosk.errors import EnvironmentFault

LOG = logging.getLogger(__name__)

FOLDER = Path(__file__).parent


def make_application() -> QGuiApplication:
    """The Qt application with software rendering and the bundled font; the one there is, if there is one."""
    running = QGuiApplication.instance()
    if isinstance(running, QGuiApplication):
        application = running
    else:
        os.environ.setdefault("QT_QUICK_BACKEND", "software")
        # Qt waits 5 ms for more changes before a frame (QPlatformWindow::requestUpdate): a tap's are whole.
        os.environ.setdefault("QT_QPA_UPDATE_IDLE_TIME", "0")
        application = QGuiApplication(sys.argv[:1])
    application.setApplicationName("kmc-kiosk")
    for name in ("Regular", "Bold"):
        path = FOLDER / "fonts" / f"AtkinsonHyperlegibleNext-{name}.ttf"
        if QFontDatabase.addApplicationFont(str(path)) < 0:
            raise EnvironmentFault("font_missing", f"cannot load {path}")
    return application


def load_window(engine: QQmlApplicationEngine, name: str, properties: dict[str, object]) -> QQuickWindow:
    """Load a QML file of ours with its required properties. Raises EnvironmentFault."""
    engine.addImportPath(str(FOLDER / "qml"))
    engine.setInitialProperties(properties)
    engine.load(QUrl.fromLocalFile(str(FOLDER / "qml" / "Kmc" / name)))
    roots = engine.rootObjects()
    if not roots or not isinstance(roots[0], QQuickWindow):
        raise EnvironmentFault("screen_broken", f"{name} could not be loaded")
    return roots[0]


def log_qt(kind: QtMsgType, context: object, message: str) -> None:
    """Qt's own messages go to the log."""
    levels = {
        QtMsgType.QtDebugMsg: logging.DEBUG,
        QtMsgType.QtInfoMsg: logging.INFO,
        QtMsgType.QtWarningMsg: logging.WARNING,
    }
    LOG.log(levels.get(kind, logging.ERROR), "qt: %s", message)
