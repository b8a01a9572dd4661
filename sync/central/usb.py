"""Central's end of the exchange by file: the same work as for a push and a poll, answered into a file.

A file counts once: its nonce is kept when its answer is written, so that a stop in between can be repeated
and a copy of the file later cannot. The journal itself is never refused for what is in it: only files that
are not sealed by the kiosk they name are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from kiosk.errors import CentralFault
from sync.central import intake, key_rows, poll, settings
from sync.central.state import Central
from sync.signature import MAX_SKEW_S
from sync.usb import (
    ANSWER,
    VERSION,
    AnswerFile,
    Export,
    Section,
    SectionAnswer,
    check_seal,
    read_export,
    write_answer,
)
from sync.wire import ErrorAnswer, JournalAnswer, JournalRequest, PollAnswer, PollRequest, from_base64

BATCH_RECORDS: Final = 200
_REFUSALS: Final = ("kiosk_revoked", "stale_gen", "kiosk_frozen", "kiosk_stopped", "key_rolled")


@dataclass(frozen=True, slots=True)
class Imported:
    """An exchange file taken in, and the answer to carry back."""

    kiosk: str
    gen: int
    nonce: str
    records: int
    answer: bytes
    told: AnswerFile


def take_in(central: Central, data: bytes) -> Imported:
    """Takes an exchange file in; its records are durable when this returns.

    Call ``remember`` once the answer is durable too. Raises CentralFault: ``file_malformed``,
    ``file_too_large``, ``unknown_key`` (no such kiosk or generation), ``bad_signature``,
    ``clock`` (written in the future), ``replayed``.
    """
    export = read_export(data)
    may_ask = _believe(central, export)
    poll.Ticker(central).tick()
    journals = [_push(central, export.seal.kiosk, section) for section in export.sections]
    told, refused = _poll(central, export, may_ask)
    signer = central.keys.central
    with central.database.read() as connection:
        keyset = from_base64(settings.get(connection, "keyset"))
    answer = AnswerFile(
        v=VERSION,
        kind=ANSWER,
        kiosk=export.seal.kiosk,
        gen=export.seal.gen,
        nonce=export.seal.nonce,
        time_ms=int(central.clock() * 1000),
        keyset=keyset,
        journals=journals,
        poll=told,
        refused=refused,
    )
    seal = export.seal
    return Imported(
        seal.kiosk,
        seal.gen,
        seal.nonce,
        export.count,
        write_answer(answer, signer.private, signer.kid),
        answer,
    )


def remember(central: Central, done: Imported) -> None:
    """Notes that a file was answered: the same file is refused from now on."""
    key, now = _nonce_key(done.kiosk, done.nonce), str(central.now())
    central.database.write(lambda connection: settings.put(connection, **{key: now}))


def as_json(done: Imported) -> dict[str, Any]:
    """As the command prints it."""
    told = done.told
    return {
        "kiosk": done.kiosk,
        "generation": done.gen,
        "records": done.records,
        "acked": {str(one.gen): one.answer.acked_seq for one in told.journals},
        "statuses": {str(one.gen): one.answer.status for one in told.journals},
        "quarantined": {str(one.gen): one.answer.quarantined for one in told.journals},
        "conflicts": [case.code for one in told.journals for case in one.answer.conflicts],
        "grants": len(told.poll.grants) if told.poll else 0,
        "refused": told.refused.code if told.refused else "",
    }


def _believe(central: Central, export: Export) -> bool:
    """Whether the file's kiosk may have grants; its journal is taken in any case."""
    seal = export.seal
    with central.database.read() as connection:
        keys = key_rows.of_generation(connection, seal.kiosk, seal.gen)
        known = all(
            key_rows.of_generation(connection, seal.kiosk, section.head.gen) for section in export.sections
        )
        replayed = settings.get(connection, _nonce_key(seal.kiosk, seal.nonce))
    if not keys or not known:
        raise CentralFault("unknown_key", f"{seal.kiosk}.{seal.gen} is not registered here")
    public = check_seal(export.message, [key.public for key in keys])
    if seal.written_ms / 1000 > central.clock() + MAX_SKEW_S:
        raise CentralFault(
            "clock", "the file was written in the future: set the kiosk's clock, then export again"
        )
    if replayed:
        raise CentralFault("replayed", "this file was taken in before")
    if key_rows.is_first_use(keys, public):
        used = partial(
            key_rows.mark_used, kiosk_id=seal.kiosk, gen=seal.gen, public=public, now=central.now()
        )
        central.database.write(used, quiet=True)
    return key_rows.may_ask(keys, public)


def _push(central: Central, kiosk_id: str, section: Section) -> SectionAnswer:
    gen, start = section.head.gen, section.head.from_seq
    private = {note.seq: note for note in section.private}

    def push(first: int) -> JournalAnswer:
        some = section.records[first : first + BATCH_RECORDS]
        seqs = range(start + first, start + first + len(some))
        notes = [private[seq] for seq in seqs if seq in private]
        request = JournalRequest(gen=gen, from_seq=start + first, records=some, private=notes)
        return intake.push(central, kiosk_id, request)

    answers = [push(0)]
    for first in range(BATCH_RECORDS, len(section.records), BATCH_RECORDS):
        if answers[-1].status == "gap":
            break
        answers.append(push(first))
    whole = answers[-1].model_copy(
        update={
            "conflicts": [case for one in answers for case in one.conflicts],
            "quarantined": [seq for one in answers for seq in one.quarantined],
        }
    )
    return SectionAnswer(gen=gen, from_seq=start, answer=whole)


def _poll(central: Central, export: Export, may_ask: bool) -> tuple[PollAnswer | None, ErrorAnswer | None]:
    """What a poll would bring, all at once; or why this kiosk gets nothing."""
    seal = export.seal
    request = PollRequest(
        gen=seal.gen,
        # Not compared while records are on their way: a release among them makes the sets differ rightly.
        queue=export.count,
        highest_grant_rev=seal.highest_grant_rev,
        grants_digest=seal.grants_digest,
    )
    told = poll.Told()
    try:
        if not may_ask:
            raise CentralFault("key_rolled", "this kiosk signs by another key since; its journal is taken")
        poll.note_seen(central, seal.kiosk, request)
        answer, _ = poll.look(central, seal.kiosk, request, told)
        grants = list(answer.grants)
        while answer.grants_more:
            request = request.model_copy(update={"highest_grant_rev": answer.grant_rev})
            answer, _ = poll.look(central, seal.kiosk, request, told)
            grants += answer.grants
    except CentralFault as fault:
        if fault.code not in _REFUSALS:
            raise
        return None, ErrorAnswer(code=fault.code, message=fault.message)
    central.outside.keep_answer(grants, answer.slices)
    return answer.model_copy(update={"grants": grants, "grants_more": False}), None


def _nonce_key(kiosk_id: str, nonce: str) -> str:
    return f"usb.{kiosk_id}.{nonce}"
