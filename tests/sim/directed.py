"""Schedules written by hand: each leads straight to one danger, and says what has to come of it.

Every one ends with the healing, so that all invariants are looked at as well. They run on the product as it
is, and again with each mutation that they are meant to catch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.sim import directed_copies, directed_counter, directed_recovery, directed_sync
from tests.sim.world import World


@dataclass(frozen=True)
class Directed:
    """One schedule and the small city it needs."""

    run: Callable[[World], None]
    scope: str = "one"
    pages: int = 5000
    boards: bool = False

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return self.run.__name__


_COUNTER: Final = (
    Directed(directed_counter.recall_races_a_dispense),
    Directed(directed_counter.served_elsewhere_while_both_are_online),
    Directed(directed_counter.void_of_a_released_right, "partial"),
    Directed(directed_counter.month_turns_offline, "counters"),
    Directed(directed_counter.next_month_after_a_sync),
    Directed(directed_counter.died_before_it_was_shown),
    Directed(directed_counter.family_by_two_cards, "family"),
    Directed(directed_counter.programs_that_exclude_each_other, "excluding"),
    Directed(directed_counter.cut_off_kiosk_keeps_its_right),
    Directed(directed_counter.answer_comes_after_the_visit),
    Directed(directed_counter.taken_back_and_handed_out_again),
    Directed(directed_counter.second_counter_of_the_point, "counters"),
)
_SYNC: Final = (
    Directed(directed_sync.reply_lost_after_commit),
    Directed(directed_sync.pushes_doubled_late_and_out_of_order),
    Directed(directed_sync.stale_grant_comes_again),
    Directed(directed_sync.stale_grant_while_held),
    Directed(directed_sync.grant_of_another_comes_by),
    Directed(directed_sync.renewal_crosses_a_pickup, "partial"),
    Directed(directed_sync.release_crosses_a_renewal),
    Directed(directed_sync.grant_lost_on_its_way),
    Directed(directed_sync.central_dies_between_commit_and_reply),
    Directed(directed_sync.less_is_due_than_was_granted, "partial"),
    Directed(directed_sync.pages_of_one_row, "counters", 1),
    Directed(directed_sync.killed_between_push_and_acknowledgement),
)
_COPIES: Final = (
    Directed(directed_copies.enrolled_again_while_the_old_machine_hands_out),
    Directed(directed_copies.disk_lost_with_what_was_not_sent),
    Directed(directed_copies.cloned_and_both_hand_out),
    Directed(directed_copies.image_put_back_and_handed_out_again),
    Directed(directed_copies.image_put_back_and_nothing_done),
    Directed(directed_copies.image_put_back_and_a_right_asked_for),
    Directed(directed_copies.voids_on_both_sides_of_a_fork, "partial"),
    Directed(directed_copies.both_sides_take_back_the_same, "partial"),
    Directed(directed_copies.revoked_while_cut_off),
)
_RECOVERY: Final = (
    Directed(directed_recovery.old_image_told_by_the_board, boards=True),
    Directed(directed_recovery.restored_to_before_a_move),
    Directed(directed_recovery.restored_and_changed_since),
    Directed(directed_recovery.restored_without_its_log),
    Directed(directed_recovery.restored_and_asked_again),
    Directed(directed_recovery.restored_after_a_replacement),
    Directed(directed_recovery.without_the_right_within_limits, "tolerated"),
    Directed(directed_recovery.written_off_and_handed_out_all_the_same),
    Directed(directed_recovery.retired_and_served_elsewhere),
    Directed(directed_recovery.key_rolled_at_each_step),
    Directed(directed_recovery.date_confirmed_by_a_supervisor, "partial"),
)
SCHEDULES: Final = {one.name: one for one in (*_COUNTER, *_SYNC, *_COPIES, *_RECOVERY)}
