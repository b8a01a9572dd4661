"""How long things stay on the screen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds; the defaults are the house's rules for public screens."""

    session_s: float = 40.0
    """A citizen's session ends this long after the last touch."""
    warning_s: float = 20.0
    """Its last part, with the warning on the screen."""
    reading_s: float = 0.3
    """"Membaca…" is shown if a read takes longer."""
    fault_s: float = 12.0
    """A card fault stays this long."""
    clearing_s: float = 0.7
    recorded_s: float = 2.0
    """"Tercatat" stays this long before the next."""
    checking_s: float = 0.7
    """A row still being checked then reads as needing the network: painted before 0.8 s are over."""
    same_code_s: float = 3.0
    """A QR code held before the camera counts once within this time."""
    sign_in_s: float = 60.0
    officer_s: float = 900.0
    """An officer who touches nothing for this long is signed out."""
    status_s: float = 5.0
    """How often the kiosk's own state is read again."""
