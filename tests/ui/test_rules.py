"""The house's rules for screens, checked on every state at several sizes and in both languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import cast

import pytest
import shiboken6
from PySide6.QtCore import QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QAccessible, QAccessibleInterface, QColor, QGuiApplication, QImage
from PySide6.QtQuick import QQuickItem
from PySide6.QtTest import QTest

from tests.ui.scenes import CITIZEN, SCENES
from tests.ui.stage import Stage, is_button, is_text

SIZES = ((1024, 600), (1280, 800), (1080, 1920), (1920, 1080))
CAP_RATIO = 0.668
FORBIDDEN = ("tidak valid", "error", "maaf", "mohon", "invalid", "sorry")
PERSONAL = ("RAHAYU", "4711", "1988", "1000234", "DEWI", "BUDI", "RAHASIA", "SECRET", "IRM1-0")
MIN_CITIZEN_MM, MIN_OFFICER_MM = 4.9, 3.5
TARGET_CITIZEN_MM, TARGET_OFFICER_MM = 20.0, 12.7
GAP_MM = 2.54
PAGES = {
    "attract": "attract", "reading": "reading", "result": "result", "fault": "fault-two",
    "clearing": "clearing", "reader_gone": "reader-gone", "out_of_order": "out-of-order",
}  # fmt: skip
"""Every page of the citizen's, and a scene that shows it."""
PANES = {
    "off": "attract", "signin": "signin", "waiting": "waiting", "person": "person", "confirm": "confirm",
    "recorded": "recorded", "find": "find", "void": "void", "unshown": "unshown",
}  # fmt: skip
"""Panes of the officer's, and a scene that shows each."""


def address(thing: QObject) -> int:
    """Which C++ object it is; Python's wrappers come and go."""
    return int(shiboken6.getCppPointer(thing)[0])


def scene_rect(item: QQuickItem) -> QRectF:
    """Where the item is in the window."""
    return item.mapRectToScene(QRectF(0, 0, item.width(), item.height()))


def overlap_clip(stage: Stage, item: QQuickItem) -> QRectF:
    """The part of the window that the item's clipping ancestors leave it."""
    clip = QRectF(0, 0, stage.window.view.width(), stage.window.view.height())
    parent = item.parentItem()
    while parent is not None:
        if parent.clip():
            clip = clip.intersected(scene_rect(parent))
        parent = parent.parentItem()
    return clip


def targets(stage: Stage) -> Iterator[QQuickItem]:
    """Everything that can be touched."""
    for item in stage.items():
        if is_button(item) or (item.property("activeFocusOnTab") and not item.inherits("QQuickTextInput")):
            yield item


def is_under(item: QQuickItem, ancestor_class: str) -> bool:
    """Whether the item lies in one of that class."""
    at: QQuickItem | None = item
    while at is not None:
        if at.metaObject().className().startswith(ancestor_class):
            return True
        at = at.parentItem()
    return False


def luminance(color: QColor) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (color.redF(), color.greenF(), color.blueF())
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: QColor, other: QColor) -> float:
    """Contrast ratio (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def background(image: QImage, rect: QRectF) -> QColor:
    """The commonest colour in that part of the picture, which is in Format_ARGB32."""
    pixels = memoryview(image.constBits()).cast("I")
    across = image.bytesPerLine() // 4
    left, right = max(0, int(rect.left())), min(image.width(), int(rect.right()))
    counts: Counter[int] = Counter()
    for y in range(max(0, int(rect.top())), min(image.height(), int(rect.bottom())), 4):
        counts.update(pixels[y * across + left : y * across + right : 4])
    return QColor(max(counts, key=lambda pixel: counts[pixel]))


def accessible(interface: QAccessibleInterface) -> Iterator[QAccessibleInterface]:
    """The tree that assistive technology sees."""
    yield interface
    for n in range(interface.childCount()):
        child = interface.child(n)
        if child is not None:
            yield from accessible(child)


def check_text(stage: Stage, citizen: bool) -> list[str]:
    """Too small, cut off, elided, out of the window, or over one another."""
    wrong: list[str] = []
    scale = float(stage.window.view.property("pixelsPerMm"))
    least_mm = MIN_CITIZEN_MM if citizen else MIN_OFFICER_MM
    placed: list[tuple[str, QRectF]] = []
    warned = bool(stage.of_citizen("warning"))
    for item in stage.items():
        if not is_text(item) or (warned and not is_under(item, "IdleWarning")):
            continue
        text = str(item.property("text"))
        cap_mm = item.property("font").pixelSize() * CAP_RATIO / scale
        if cap_mm < least_mm - 1e-6:
            wrong.append(f"{text!r}: capitals {cap_mm:.2f} mm")
        if not text or not item.inherits("QQuickText"):
            continue
        if item.property("truncated"):
            wrong.append(f"{text!r}: elided")
        painted = QRectF(0, 0, item.property("contentWidth"), item.property("contentHeight"))
        if painted.width() > item.width() + 1.5 or painted.height() > item.height() + 1.5:
            wrong.append(f"{text!r}: painted {painted.size()} in {item.width()}×{item.height()}")
        place = scene_rect(item)
        if not overlap_clip(stage, item).adjusted(-1, -1, 1, 1).contains(place):
            wrong.append(f"{text!r}: cut off at {place}")
        for other, rect in placed:
            shared = rect.intersected(place)
            if shared.width() > 2 and shared.height() > 2 and not is_under(item, "Keyboard"):
                wrong.append(f"{text!r} lies over {other!r}")
        placed.append((text, place))
    return wrong


def check_targets(stage: Stage, citizen: bool) -> list[str]:
    """Too small, too close, out of the window."""
    wrong: list[str] = []
    scale = float(stage.window.view.property("pixelsPerMm"))
    least = (TARGET_CITIZEN_MM if citizen else TARGET_OFFICER_MM) * scale
    found: list[tuple[QRectF, bool, bool]] = []
    for item in targets(stage):
        name = item.property("label") or item.property("ref") or item.property("programId")
        rect = scene_rect(item)
        if rect.width() < least or rect.height() < least:
            wrong.append(f"{name!r}: {rect.width() / scale:.1f} × {rect.height() / scale:.1f} mm")
        if not overlap_clip(stage, item).adjusted(-1, -1, 1, 1).contains(rect):
            wrong.append(f"{name!r}: cut off at {rect}")
        layer = (is_under(item, "IdleWarning"), is_under(item, "Keyboard"))
        for their, *their_layer in found:
            if layer != tuple(their_layer):
                continue
            apart_x = max(rect.left() - their.right(), their.left() - rect.right())
            apart_y = max(rect.top() - their.bottom(), their.top() - rect.bottom())
            if max(apart_x, apart_y) < GAP_MM * scale - 1.0:
                wrong.append(f"{name!r} is {max(apart_x, apart_y) / scale:.2f} mm from another target")
        found.append((rect, *layer))
    return wrong


def check_contrast(stage: Stage, image: QImage, citizen: bool) -> list[str]:
    """Too little contrast between text and what is painted under it."""
    wrong: list[str] = []
    warned = bool(stage.of_citizen("warning"))
    image = image.convertToFormat(QImage.Format.Format_ARGB32)
    keys = any(i.metaObject().className().startswith("Keyboard") for i in stage.items())
    for item in stage.items():
        if not is_text(item) or not item.property("text") or (warned and not is_under(item, "IdleWarning")):
            continue
        if keys and not is_under(item, "Keyboard"):
            continue
        ratio = contrast(QColor(item.property("color")), background(image, scene_rect(item)))
        least = 10.0 if citizen else 4.5
        if ratio < least:
            wrong.append(f"{item.property('text')!r}: contrast {ratio:.1f}")
    return wrong


def check_names(stage: Stage) -> list[str]:
    """Controls without a role, a name or a way to reach them by keyboard."""
    wrong: list[str] = []
    reached = set()
    view = stage.window.view
    for _ in range(80):
        QTest.keyClick(view, Qt.Key.Key_Tab)
        at = cast("QQuickItem | None", view.activeFocusItem())
        if at is None or address(at) in reached:
            break
        reached.add(address(at))
    stage.grab()
    known = {}
    for interface in accessible(QAccessible.queryAccessibleInterface(view)):
        thing = interface.object()
        if thing is not None:
            name = interface.text(QAccessible.Text.Name)
            if not name and interface.role() == QAccessible.Role.EditableText:
                name = interface.parent().text(QAccessible.Text.Name)
            known[address(thing)] = (interface.role(), name)
    roles = (
        QAccessible.Role.Button, QAccessible.Role.RadioButton, QAccessible.Role.CheckBox,
        QAccessible.Role.ListItem, QAccessible.Role.EditableText,
    )  # fmt: skip
    warned = bool(stage.of_citizen("warning"))
    for item in stage.items():
        if not (is_button(item) or item.inherits("QQuickTextInput")):
            continue
        role, name = known.get(address(item), (None, ""))
        label = item.property("label") or name
        if role not in roles or not name:
            wrong.append(f"{label!r}: role {role}, name {name!r}")
        if warned and not is_under(item, "IdleWarning"):
            continue
        if address(item) not in reached and item.property("activeFocusOnTab"):
            wrong.append(f"{label!r}: not reached by Tab")
    return wrong


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", list(SCENES))
def test_rules_hold(application: QGuiApplication, name: str, size: tuple[int, int]) -> None:
    QAccessible.setActive(True)
    stage = SCENES[name](*size)
    citizen = name in CITIZEN
    try:
        assert stage.state in PAGES
        assert name not in PAGES.values() or PAGES[stage.state] == name
        assert name not in PANES.values() or PANES.get(stage.pane) == name
        wrong: list[str] = []
        for language in ("id", "en"):
            stage.kiosk.setLanguage(language)
            image = stage.grab()
            words = stage.all_words().lower()
            wrong += [f"{language}: {w!r} occurs" for w in FORBIDDEN if w in words]
            if citizen:
                wrong += [f"{language}: {p} is shown" for p in PERSONAL if p.lower() in words]
            wrong += [f"{language}: {w}" for w in check_text(stage, citizen)]
            wrong += [f"{language}: {w}" for w in check_targets(stage, citizen)]
            wrong += [f"{language}: {w}" for w in check_contrast(stage, image, citizen)]
        wrong += check_names(stage)
        assert stage.window.view.title() == "KMC"
        assert not wrong, "\n".join(wrong)
    finally:
        stage.close()


def test_every_page_and_pane_has_a_scene() -> None:
    """That these scenes show what is said of them, ``test_rules_hold`` sees."""
    assert {*PAGES.values(), *PANES.values()} <= set(SCENES)


def test_a_touch_target_is_where_it_is_painted(application: QGuiApplication) -> None:
    stage = SCENES["attract"](1280, 800)
    try:
        button = stage.button("Petugas")
        middle = button.mapToScene(QPointF(button.width() / 2, button.height() / 2))
        assert QRectF(0, 0, 1280, 800).contains(middle)
    finally:
        stage.close()
