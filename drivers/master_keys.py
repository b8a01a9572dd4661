"""The keys that cards' own keys are derived from, at an issuing station: files that nobody else can read."""

from __future__ import annotations

import stat
from pathlib import Path

from drivers.chip_prover import read_key_file
from drivers.chips.personalise import MasterKeys
from kiosk.errors import EnvironmentFault

MODE = 0o400


def read_master_keys(application: Path, authentication: Path) -> MasterKeys:
    """Both keys from their files.

    Raises EnvironmentFault ``card_key_exposed`` for a file of another mode than 0400, ``card_keys_same``, and
    what ``read_key_file`` raises.
    """
    for path in (application, authentication):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError as fault:
            raise EnvironmentFault("card_key_missing", f"{path}: {fault.strerror}", file=str(path)) from None
        if mode != MODE:
            fix = f"chmod 400 {path}"
            raise EnvironmentFault(
                "card_key_exposed", f"{path} has mode {mode:04o}, not 0400: {fix}", file=str(path), fix=fix
            )
    try:
        return MasterKeys(read_key_file(application), read_key_file(authentication))
    except ValueError as fault:
        raise EnvironmentFault("card_keys_same", str(fault)) from None
