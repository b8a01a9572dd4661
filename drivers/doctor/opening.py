"""A reader of any kind, opened in this process for a test by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from drivers.doctor.taps import WORDS, Score, measure
from drivers.makes import connect, is_scanner
from drivers.reader import ReaderConnection

TestKind: TypeAlias = Literal["nfc", "qr", "scanner"]


def open_reader(kind: TestKind, device: str, **options: Any) -> ReaderConnection:
    """The connection, not entered; only what this device needs is imported. ``options`` are its make's.

    Raises EnvironmentFault ``reader_missing`` for no known make; entering raises what opening does, also
    while a running kiosk has the device.
    """
    return connect(device, kind="nfc" if kind == "nfc" else "qr", **options)


def kind_of(kind: TestKind, device: str) -> TestKind:
    """Which of the kinds it is: a scanner may have been asked for as a QR reader."""
    return "scanner" if kind != "nfc" and is_scanner(device) else kind


def take_taps(
    kind: TestKind,
    device: str,
    say: Callable[[str], None],
    *,
    taps: int,
    timeout_s: float,
    two_cards: bool = False,
    **options: Any,
) -> tuple[str, Score]:
    """Opens the reader, asks a person for so many taps; the path that was opened, and the score.

    Raises EnvironmentFault as opening and ``measure`` do.
    """
    what = kind_of(kind, device)
    with open_reader(kind, device, **options) as connection:
        score = measure(
            connection,
            say,
            words=WORDS[what],
            meanwhile=_meter(connection, say) if what == "qr" else lambda: None,
            taps=taps,
            timeout_s=timeout_s,
            two_cards=two_cards,
        )
        return connection.reference.path or device, score


def _meter(connection: ReaderConnection, say: Callable[[str], None]) -> Callable[[], None]:
    from drivers.doctor.decode_meter import meter_for  # OpenCV is loaded for cameras only

    return meter_for(connection, lambda line: say(f"    {line}"))
