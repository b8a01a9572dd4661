"""Ways to break the product that the simulator has to notice: each takes one guard away.

A mutation is an edit of one function's source, made while it runs; an edit that no longer fits fails, so that
none is silently without effect.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from unittest import mock

from kiosk import acknowledgement, effects, program, rights, rollback, tolerate
from sync import engine, pushing
from sync.central import acquire, feed, intake, placement, poll, recovery, restoring
from sync.central import effects as central_effects
from sync.central import rights as central_rights


@dataclass(frozen=True)
class Edit:
    """One piece of one function's source, and what stands there instead."""

    owner: Any
    """Module or class."""
    name: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutation:
    """A guard that is taken away."""

    name: str
    edits: tuple[Edit, ...]
    schedules: tuple[str, ...]
    """Directed schedules that lead to where it was needed; at least one has to break."""


@contextmanager
def mutated(mutation: Mutation) -> Iterator[None]:
    """The product without that guard."""
    by_function: dict[tuple[int, str], list[Edit]] = {}
    for edit in mutation.edits:
        by_function.setdefault((id(edit.owner), edit.name), []).append(edit)
    with ExitStack() as stack:
        for edits in by_function.values():
            function, changed = edited(edits)
            stack.enter_context(mock.patch.object(edits[0].owner, edits[0].name, changed))
            for user in _users(function):
                stack.enter_context(mock.patch.object(user, edits[0].name, changed))
        yield


def edited(edits: Sequence[Edit]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A function, and the same with all edits; a method's source is moved to the left margin first.

    Raises ValueError if an edit does not fit exactly once.
    """
    name = edits[0].name
    function = getattr(edits[0].owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    for edit in edits:
        if source.count(edit.old) != 1:
            raise ValueError(f"{name} holds {edit.old!r} {source.count(edit.old)} times")
        source = source.replace(edit.old, edit.new)
    code = compile(source, f"<{name} mutated>", "exec", flags=_ANNOTATIONS)
    made: dict[str, Any] = {}
    exec(code, function.__globals__, made)  # noqa: S102  (our own source, edited)
    return function, made[name]


_ANNOTATIONS: Final = __import__("__future__").annotations.compiler_flag


def _users(function: Callable[..., Any]) -> list[Any]:
    """Modules of ours that took the function in by name."""
    return [
        module
        for name, module in list(sys.modules.items())
        if name.split(".")[0] in ("kiosk", "sync")
        and vars(module).get(function.__name__) is function
        and module.__name__ != function.__module__
    ]


_ELSEWHERE: Final = ("cut_off_kiosk_keeps_its_right",)

MUTATIONS: Final = (
    Mutation(
        "reclaim on expiry",
        (
            Edit(
                acquire,
                "_decide",
                "    if row.in_doubt or not kiosks",
                "    from sqlalchemy import text\n"
                "    seen = connection.execute(\n"
                "        text('SELECT seen_at FROM kiosk WHERE id = :id'), {'id': row.held_by}\n"
                "    ).scalar()\n"
                "    if (seen or 0) < now - 3600:\n"
                "        hand_over(connection, central.incarnation, asker, [row], now, changes, kiosks)\n"
                "        return _granted(central, row)\n"
                "    if row.in_doubt or not kiosks",
            ),
        ),
        _ELSEWHERE,
    ),
    Mutation(
        "missing epoch check at the kiosk",
        (Edit(rights, "_take_in_one", "grant.epoch <= known.epoch:", "False:"),),
        ("stale_grant_while_held",),
    ),
    Mutation(
        "missing release floor",
        (
            Edit(
                rights,
                "_take_in_one",
                "        if grant.epoch <= known.floor:\n            return GrantOutcome.RELEASED\n"
                "        if grant.epoch <= known.epoch:",
                "        if grant.epoch <= known.epoch and known.held:",
            ),
        ),
        ("stale_grant_comes_again", "answer_comes_after_the_visit"),
    ),
    Mutation(
        "missing generation check",
        (Edit(rights, "_take_in_one", "grant.kiosk != kiosk or grant.gen != gen", "False"),),
        ("grant_of_another_comes_by",),
    ),
    Mutation(
        "missing epoch check of a release at central",
        (Edit(central_effects.Effects, "_release", "if upto >= row.epoch", "if True"),),
        ("release_crosses_a_renewal",),
    ),
    Mutation(
        "missing dedupe of records",
        (
            Edit(
                intake,
                "_take",
                "    for item in outcome.replaced:\n        if item.record is not None:",
                "    for item in checked:\n"
                "        if item.record is not None and item.seq <= row.acked_seq:\n"
                "            effects._right(item.record.right).spent += item.record.detail.get('spends', 0)\n"
                "    for item in outcome.replaced:\n        if item.record is not None:",
            ),
        ),
        ("pushes_doubled_late_and_out_of_order", "reply_lost_after_commit"),
    ),
    Mutation(
        "a void counted twice",
        (Edit(central_effects.Effects, "_void", 'if found["voided"]:', "if False:"),),
        ("both_sides_take_back_the_same",),
    ),
    Mutation(
        "accepted gaps",
        (
            Edit(
                intake,
                "_sort",
                "known is None and item.seq == chain.acked + 1 and (bad or _follows(chain, item))",
                "known is None and item.seq > chain.acked",
            ),
        ),
        ("pushes_doubled_late_and_out_of_order",),
    ),
    Mutation(
        "release racing a dispense",
        (
            Edit(rights, "dispense", "held is None or not held.held or held.gen", "held is None or held.gen"),
            Edit(effects, "_dispense", "AND held = 1 AND epoch_incarnation", "AND epoch_incarnation"),
        ),
        ("recall_races_a_dispense",),
    ),
    Mutation(
        "void of a released right",
        (
            Edit(
                effects,
                "_void",
                "    recount(connection",
                '    connection.execute(f"UPDATE {RIGHTS} SET held = 1 WHERE right = ?", (record.right,))\n'
                "    recount(connection",
            ),
        ),
        ("void_of_a_released_right",),
    ),
    Mutation(
        "a renewal forgets what was handed out since",
        (Edit(effects, "recount", "AND p.seq > {RIGHTS}.upto_seq", "AND p.seq < 0"),),
        ("renewal_crosses_a_pickup", "taken_back_and_handed_out_again"),
    ),
    Mutation(
        "other bytes pass for known ones",
        (Edit(intake, "_sort", "if known is not None and known[0] == item.hash:", "if known is not None:"),),
        ("cloned_and_both_hand_out",),
    ),
    Mutation(
        "a fork does not freeze",
        (Edit(intake, "_take", "        if current:", "        if False:"),),
        ("cloned_and_both_hand_out",),
    ),
    Mutation(
        "a ledger that went back is not noticed",
        (
            Edit(
                engine.SyncEngine,
                "_compare_journals",
                "answer.acked_seq > self.ledger.head_seq(gen)",
                "False",
            ),
            Edit(rights, "_take_in_one", "grant.upto_seq > head_seq(connection, gen)", "False"),
        ),
        ("image_put_back_and_nothing_done",),
    ),
    Mutation(
        "a grant does not tell of a ledger that went back",
        (Edit(rights, "_take_in_one", "grant.upto_seq > head_seq(connection, gen)", "False"),),
        ("image_put_back_and_a_right_asked_for",),
    ),
    Mutation(
        "acknowledged before it is there",
        (
            Edit(
                pushing.Pusher,
                "_push_batch",
                "        answer = self._timed_push(request)",
                "        acknowledge(self._ledger, gen, start, start,\n"
                "            __import__('hashlib').sha256(request.records[0].record).hexdigest())\n"
                "        answer = self._timed_push(request)",
            ),
        ),
        ("reply_lost_after_commit", "killed_between_push_and_acknowledgement"),
    ),
    Mutation(
        "another head is acknowledged",
        (
            Edit(
                acknowledgement, "acknowledge", "_hash_at(connection, gen, acked_seq).hex() != head", "False"
            ),
            Edit(pushing.Pusher, "_take", 'if answer.status == "fork":', "if False:"),
        ),
        ("cloned_and_both_hand_out",),
    ),
    Mutation(
        "a lost kiosk's rights are free",
        (
            Edit(
                central_rights,
                "put_in_doubt",
                "values(in_doubt=True,",
                "values(held_by='', gen=0, granted=None, in_doubt=False,",
            ),
        ),
        ("enrolled_again_while_the_old_machine_hands_out", "revoked_while_cut_off"),
    ),
    Mutation(
        "less than all leaves the rest",
        (
            Edit(
                program, "spends", "return quantity if program.partial else quantity_left", "return quantity"
            ),
        ),
        ("programs_that_exclude_each_other",),
    ),
    Mutation(
        "rights of the next period are not placed ahead",
        (
            Edit(
                placement,
                "_free_at",
                "rights_table.c.not_after > now,",
                "rights_table.c.not_after > now, rights_table.c.not_before <= now,",
            ),
        ),
        ("next_month_after_a_sync",),
    ),
    Mutation(
        "a page splits a rev",
        (
            Edit(feed, "page", "whole = [row for row in found if row.rev < cut]", "whole = found[:limit]"),
            Edit(feed, "page", "found = whole or", "found = found[:limit] or"),
        ),
        ("pages_of_one_row",),
    ),
    Mutation(
        "an idle right is never given back",
        (Edit(engine.SyncEngine, "answer_recalls", "answer.recalls", "()"),),
        ("served_elsewhere_while_both_are_online",),
    ),
    Mutation(
        "old generations may ask",
        (
            Edit(poll, "current_point", "if row.gen != gen:", "if False:"),
            Edit(acquire, "_decide", "or asker.gen != gen", ""),
        ),
        ("enrolled_again_while_the_old_machine_hands_out",),
    ),
    Mutation(
        "missing rollback counter",
        (Edit(rollback, "check", "if known and int(known) < value:", "if False:"),),
        ("old_image_told_by_the_board",),
    ),
    Mutation(
        "restore without a new incarnation",
        (
            Edit(
                restoring,
                "restore",
                'max(int(head["incarnation"]), _last_incarnation(outside)) + 1',
                'int(head["incarnation"])',
            ),
        ),
        ("restored_and_asked_again", "restored_and_changed_since"),
    ),
    Mutation(
        "nothing is withheld after a restore",
        (Edit(recovery, "is_pending", "bool(missing(connection))", "False"),),
        ("restored_without_its_log",),
    ),
    Mutation(
        "the log outside the database is not replayed",
        (Edit(restoring, "restore", "replay.take(entry)", "pass"),),
        ("restored_after_a_replacement",),
    ),
    Mutation(
        "no limits without the right",
        (
            Edit(
                tolerate, "room", "0 if count >= limits.count else max(0, limits.amount - quantity)", "10**6"
            ),
        ),
        ("without_the_right_within_limits",),
    ),
)
