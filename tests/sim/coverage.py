"""What has to have happened over CI's seeds, and how often: runs in which nothing happens prove nothing."""

from __future__ import annotations

from collections import Counter as Tally
from typing import Final

CI_SEEDS: Final = 600
"""The seeds over which the counts below are taken; CI runs some more that only have to hold."""
AT_LEAST: Final = {
    "handed_out": 300,
    "handed_out_offline": 40,
    "handed_out_again": 40,
    "handed_out_without_right": 15,
    "partial": 50,
    "acquired": 20,
    "said granted": 60,
    "said recalled": 150,
    "recalls": 50,
    "released": 50,
    "replayed": 20,
    "raced": 5,
    "void_returned": 20,
    "void_never_left": 15,
    "void_of_released": 2,
    "void_asked_by_central": 1,
    "due_changed": 15,
    "rollover": 15,
    "rollover_offline": 1,
    "reply_lost": 60,
    "request_lost": 30,
    "doubled": 30,
    "late_arrived": 30,
    "meanwhile": 100,
    "central_died": 20,
    "power_cut": 20,
    "clock_off": 5,
    "image": 10,
    "rolled_back": 5,
    "rolled_back_told_by_board": 2,
    "cloned": 5,
    "forked": 3,
    "overspent": 5,
    "overspends told": 5,
    "overspends tolerated": 3,
    "disk_lost": 3,
    "revoked": 3,
    "enrolled_again": 8,
    "written_off_some": 2,
    "backup": 15,
    "restored": 10,
    "retired": 2,
    "key_rolled": 5,
    "regranted": 30,
    "supplements": 1,
    "unshown_given": 1,
    "unshown_not_given": 1,
    "served_again": 80,
    "died at ledger:before commit": 10,
    "died at ledger:after commit": 10,
    "died at cache:before commit": 2,
    "died at cache:after commit": 2,
    "died at network:before sending": 3,
    "died at network:after arrival": 3,
    "died at central:before commit": 5,
    "died at central:after commit": 5,
}
"""``regranted``: rights granted at a second or later epoch; ``supplements``: more granted than before."""


def too_rare(tally: Tally[str]) -> dict[str, tuple[int, int]]:
    """What did not happen often enough: how often it did, and how often it should have."""
    return {name: (tally[name], least) for name, least in AT_LEAST.items() if tally[name] < least}
