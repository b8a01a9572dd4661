"""A counter that no copy of the disk takes back: an old image of the ledger is then refused on the spot.

The ledger keeps the value it last knew of. It is written before the counter is raised, so a stop between the
two leaves the ledger ahead, never behind; a ledger behind the counter is an older one. Where there is a
TPM 2.0 the counter is an NV index of type counter (TCG TPM 2.0 Library, Part 1, clause 37), which
can be raised by one and never lowered. It wears, so it is raised at each start of the sync process and then
at most each ADVANCE_EVERY_MS while records are being sent, not with each record.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kiosk import file_lock, freezing
from kiosk.clock import Clock
from kiosk.errors import EnvironmentFault
from kiosk.ledger import Ledger, meta_of, put_meta
from kiosk.ports import RollbackCounter

log = logging.getLogger(__name__)

TPM_DEVICE: Final = Path("/dev/tpmrm0")
TPM_TOOLS: Final = ("tpm2_getcap", "tpm2_nvdefine", "tpm2_nvincrement", "tpm2_nvread")
NV_INDEX: Final = 0x01814B4D
"""In the range that the TCG's registry of reserved handles leaves to the owner, 01800000 to 01BFFFFF."""
ADVANCE_EVERY_MS: Final = 15 * 60 * 1000
DEADLINE_S: Final = 10.0
MAX_STEPS: Final = 16
"""Further than this the ledger is never ahead of its counter, unless the counter is another one."""
LOCK_FILE: Final = "rollback.lock"
COUNTER_META: Final = "rollback_counter"
ABSENT: Final = "no_rollback_counter"
FAILED: Final = "rollback_counter_failed"


def check(ledger: Ledger, counter: RollbackCounter | None) -> tuple[str, ...]:
    """Freezes a ledger that is older than its counter says; answers warnings for ``status``.

    Without a counter, or with one that this ledger has never met, nothing is refused here: central fences an
    old image at the first contact.
    """
    if counter is None:
        return (ABSENT,)
    try:
        # Before the ledger is read: another process raises the ledger's value first, then the counter.
        value = counter.value()
    except EnvironmentFault as fault:
        log.warning("the rollback counter cannot be read: %s", fault.message)
        return (FAILED,)
    known = ledger.meta(COUNTER_META)
    if known and not value:
        return (ABSENT,)  # another board, or a cleared TPM; the next enrolment takes the new one up
    if known and int(known) < value:
        freezing.freeze_ledger(ledger, freezing.ROLLED_BACK)
    return ()


def advance(
    ledger: Ledger, counter: RollbackCounter | None, clock: Clock, *, at_start: bool = False
) -> tuple[str, ...]:
    """Raises ledger and counter by one, unless the ledger proves to be old; answers warnings like ``check``.

    After the start only when ADVANCE_EVERY_MS have passed.
    """
    if counter is None:
        return (ABSENT,)
    now_ms = clock.monotonic_ms()
    last = ledger.meta("rollback_advanced").partition("@")
    age_ms = now_ms - int(last[0] or 0)
    if not at_start and last[2] == clock.boot_id() and 0 <= age_ms < ADVANCE_EVERY_MS:
        return ()
    # Two processes that raise the counter at once could raise it past the ledger.
    with file_lock.held(ledger.path.parent / LOCK_FILE):
        warnings = check(ledger, counter)
        if warnings or ledger.meta("frozen") == freezing.ROLLED_BACK:
            return warnings
        try:
            _advance(ledger, counter)
        except EnvironmentFault as fault:
            if fault.code != FAILED:
                raise
            log.warning("the rollback counter cannot be raised: %s", fault.message)
            return (FAILED,)
    ledger.set_meta(rollback_advanced=f"{now_ms}@{clock.boot_id()}")
    return ()


def _advance(ledger: Ledger, counter: RollbackCounter) -> None:
    known = ledger.meta(COUNTER_META)
    value = counter.value()
    if not known and not value:
        # A new counter begins somewhere above every one that this TPM ever had. Until it is known the
        # ledger has no value, and takes up whatever is there.
        counter.advance(1)
        value = counter.value()
    target = max(int(known or 0), value) + 1
    with ledger.writing() as connection:
        target = max(target, int(meta_of(connection, COUNTER_META) or 0))
        put_meta(connection, **{COUNTER_META: str(target)})
    counter.advance(target)


def find_counter(device: Path = TPM_DEVICE) -> RollbackCounter | None:
    """The TPM's counter where this machine has a TPM 2.0 and the tools for it; else None."""
    if not device.exists() or not all(shutil.which(tool) for tool in TPM_TOOLS):
        return None
    return TpmCounter(f"device:{device}")


class TpmCounter:
    """An NV counter of a TPM 2.0, by the commands of tpm2-tools, each with a deadline.

    ``tcti`` says how the TPM is reached, as tpm2-tools' ``TPM2TOOLS_TCTI``. The index is made at its first
    use, with the owner's (usually empty) authorisation; reading and raising it needs none.
    """

    def __init__(self, tcti: str, index: int = NV_INDEX, deadline_s: float = DEADLINE_S) -> None:
        self._number = index
        self._index = f"0x{index:08x}"
        self._deadline_s = deadline_s
        self._environment: Mapping[str, str] = {
            "PATH": os.environ.get("PATH", os.defpath),
            "TPM2TOOLS_TCTI": tcti,
            "TSS2_LOG": "all+NONE",
        }

    def value(self) -> int:
        """Its value; 0 while it was never made. Raises EnvironmentFault ``rollback_counter_failed``."""
        if not self._is_made():
            return 0
        read = self._run("tpm2_nvread", "-C", self._index, "-s", "8", self._index)
        if len(read) != 8:
            raise EnvironmentFault(FAILED, f"{len(read)} bytes in the place of 8")
        return int.from_bytes(read, "big")

    def advance(self, to: int) -> None:
        """Raises it to ``to`` at least. Raises EnvironmentFault ``rollback_counter_failed``."""
        if not self._is_made():
            attributes = "nt=counter|authread|authwrite|ownerread|no_da"
            self._run("tpm2_nvdefine", "-C", "o", "-a", attributes, self._index)
            # Only from here on can it be read.
            self._run("tpm2_nvincrement", "-C", self._index, self._index)
        value = self.value()
        if to - value > MAX_STEPS:
            raise EnvironmentFault(FAILED, f"{to} is too far from {value}: another counter")
        while value < to:
            self._run("tpm2_nvincrement", "-C", self._index, self._index)
            value = self.value()

    def _is_made(self) -> bool:
        listed = self._run("tpm2_getcap", "handles-nv-index").decode("ascii", "replace")
        return f"0x{self._number:x}" in listed.lower().split()

    def _run(self, *words: str) -> bytes:
        try:
            done = subprocess.run(
                words,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=self._deadline_s,
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentFault(FAILED, f"{words[0]} did not end in {self._deadline_s:g} s") from None
        except OSError as fault:
            raise EnvironmentFault(FAILED, f"{words[0]}: {fault.strerror}") from None
        if done.returncode != 0:
            told = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise EnvironmentFault(FAILED, f"{words[0]}: {told[-1][:200] if told else done.returncode}")
        return done.stdout
