"""OpenCV as this project uses it: short waits, one thread, silent, and without traces in Qt's environment.

Import ``cv2`` from here wherever pictures are read or looked at.
"""

from __future__ import annotations

import os

READ_TIMEOUT_S = 2.0
"""A camera that gives no frame for so long has stalled; OpenCV would wait 10 s (V4L) or 30 s (HTTP)."""

_QT = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")

# OpenCV reads these once, when it is loaded or first used, so they are set before the import below.
for _name, _value in {
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": str(round(READ_TIMEOUT_S)),
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
}.items():
    os.environ.setdefault(_name, _value)

_before = {name: os.environ.get(name) for name in _QT}

import cv2  # noqa: E402

# A wheel with windows of its own points Qt at the plug-ins it brings; a kiosk's Qt must never load those.
for _name, _was in _before.items():
    if _was is None:
        os.environ.pop(_name, None)
    else:
        os.environ[_name] = _was

cv2.setNumThreads(1)

__all__ = ["READ_TIMEOUT_S", "cv2"]
