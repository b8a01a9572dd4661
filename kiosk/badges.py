"""Officers' badges: cards of the same kinds as holders', which name an officer in place of a holder."""

from __future__ import annotations

from kiosk.cache import Badge, Cache
from kiosk.credential import VerifiedCard
from kiosk.errors import CardFault, OfficerFault
from kiosk.values import Grade

LEAST_GRADE = Grade.P1
"""A printed code can be a photograph: it is no second factor."""


def check_no_badge(cache: Cache, card: VerifiedCard) -> None:
    """Raises CardFault ``card_is_badge`` (detail ``username``) for a good badge, as ``check`` else."""
    badge = cache.badge(card.card_no)
    if badge is not None:
        check(badge, card)
        raise CardFault("card_is_badge", "an officer's badge", username=badge.username)


def check(badge: Badge, card: VerifiedCard) -> None:
    """Raises CardFault ``card_superseded``, ``card_badge_copied`` (read by a code that may be a picture)."""
    if card.issue_no != badge.issue_no:
        raise CardFault("card_superseded", f"issue {card.issue_no} of {badge.issue_no}", denied="")
    if card.grade < LEAST_GRADE:
        raise CardFault("card_badge_copied", f"{card.grade.label} proved, {LEAST_GRADE.label} needed")


def check_factor(cache: Cache, username: str, card: VerifiedCard | None) -> None:
    """The badge as the second factor of a sign-in; ``card`` is what was shown and verified, if anything.

    Raises OfficerFault ``badge_needed`` for an officer who signs in by badge and showed none, ``wrong_badge``
    for somebody else's; CardFault as ``check``.
    """
    badge = cache.badge_of(username)
    if card is None:
        if badge is not None and badge.required:
            raise OfficerFault("badge_needed", "this officer signs in with a badge and a PIN")
        return
    if badge is None or badge.badge_no != card.card_no:
        raise OfficerFault("wrong_badge", "the badge is not this officer's")
    check(badge, card)
