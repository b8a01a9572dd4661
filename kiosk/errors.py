"""Faults the program names, divided by whom the screen must address."""

from __future__ import annotations

from typing import Any, ClassVar


class KioskError(Exception):
    """A fault with a stable ``code`` and a technician's ``message``.

    ``code`` is lower snake case and never changes its meaning: screens and checks key on it.
    ``detail`` holds plain JSON values only and never personal data.
    """

    family: ClassVar[str] = "kiosk"

    def __init__(self, code: str, message: str = "", **detail: Any) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message or code.replace("_", " ")
        self.detail = detail

    def as_json(self) -> dict[str, Any]:
        """The fault as the commands print it: family, code, message and detail."""
        return {
            "family": self.family,
            "code": self.code,
            "message": self.message,
            "detail": self.detail,
        }


class EnvironmentFault(KioskError):
    """Reader gone, camera denied, disk full, settings wrong: call the technician."""

    family = "environment"


class CardFault(KioskError):
    """Card unreadable, foreign, expired, revoked: tell the citizen what to do."""

    family = "card"


class CentralFault(KioskError):
    """Central unreachable (retry), refused (park and show) or this device revoked."""

    family = "central"


class OfficerFault(KioskError):
    """What was asked cannot be done now (wrong PIN, already taken, not in this mode): tell the officer."""

    family = "officer"
