"""Virtual Type 4 cards whose whole APDUs are answered by a chip of their own, such as ``Ev2Chip``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from drivers.virtual.cards import Script, Type4Card


class Applet(Protocol):
    """What answers whole command APDUs."""

    def reset(self) -> None:
        """The field went off."""
        ...

    def respond(self, apdu: bytes) -> bytes:
        """The answer with its two status bytes."""
        ...


@dataclass(slots=True)
class AppletCard(Type4Card):
    """ISO-DEP around an applet."""

    applet: Applet | None = None

    def reset(self) -> None:
        """The field went off."""
        Type4Card.reset(self)
        if self.applet is not None:
            self.applet.reset()

    def _respond(self, apdu: bytes) -> bytes:
        if self.applet is None:
            return bytes.fromhex("6F00")
        return self.applet.respond(apdu)


def desfire_like(uid: bytes, applet: Applet, script: Script | None = None) -> AppletCard:
    """A card that anticollision shows as a DESFire or an NTAG 424 DNA; ``uid`` is 7 bytes."""
    return AppletCard(uid, bytes.fromhex("4403"), 0x20, script or Script(), applet=applet)


def smart_card(uid: bytes, applet: Applet, script: Script | None = None) -> AppletCard:
    """A card of any other make that talks ISO 14443-4."""
    return AppletCard(uid, bytes.fromhex("0400"), 0x20, script or Script(), applet=applet)
