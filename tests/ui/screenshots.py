"""Render every state of the screens to PNG: ``python tests/ui/screenshots.py OUT [WxH …]``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_QUICK_BACKEND", "software")
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.ui import scenes
from tests.ui.stage import Stage
from ui.application import make_application

SIZES = ((1280, 800), (1080, 1920), (1024, 600), (1920, 1080))


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def main(arguments: list[str]) -> int:
    """Render all scenes into the folder given first; further arguments are sizes or names of scenes."""
    if not arguments:
        print(__doc__)
        return 2
    out = Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    sizes = [_size(a) for a in arguments[1:] if a[0].isdigit()] or SIZES
    wanted = [a for a in arguments[1:] if not a[0].isdigit()]
    application = make_application()
    chosen: dict[str, Callable[[int, int], Stage]] = {
        name: make for name, make in scenes.SCENES.items() if not wanted or name in wanted
    }
    for width, height in sizes:
        for language in ("id", "en"):
            for name, make in chosen.items():
                stage = make(width, height)
                stage.kiosk.setLanguage(language)
                image = stage.grab()
                path = out / f"{name}-{width}x{height}-{language}.png"
                if not image.save(str(path)):
                    print(f"could not write {path}", file=sys.stderr)
                    return 1
                stage.close()
    application.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
