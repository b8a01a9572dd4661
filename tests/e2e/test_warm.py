"""What a town asks of a warm program is what the program says when it is started anew."""

from __future__ import annotations

import subprocess

import pytest

from tests.e2e.town import CENTRAL, COMMAND_S, KIOSK, MOTHER, Town, run_anew
from tests.e2e.warm import warm_programs


@pytest.mark.parametrize(
    "command",
    [
        (*KIOSK, "show", "--card", MOTHER, "--json"),
        (*KIOSK, "show", "--card", "1", "--json"),
        (*KIOSK, "show", "--nonsense"),
        (*CENTRAL, "kiosk", "list", "--json"),
    ],
    ids=lambda words: " ".join(words[2:]),
)
def test_it_says_the_same(town: Town, command: tuple[str, ...]) -> None:
    environment = town.kiosk("IRM1").environment() | {"KMC_CENTRAL_DATABASE": town.database}
    if command[:3] == CENTRAL:
        environment["KMC_HOME"] = str(town.central_home)
    anew = run_anew(command, environment, None, COMMAND_S)
    warm = warm_programs().run(command[2], command[3:], environment, None, COMMAND_S)
    assert anew.stdout or anew.stderr
    assert (warm.returncode, warm.stdout, warm.stderr) == (anew.returncode, anew.stdout, anew.stderr)


def test_what_it_is_given_comes_in(town: Town) -> None:
    outcome = town.central("officer", "set-pin", "rina", given="111111\n")
    assert outcome.fault == "pin_too_simple"
    assert town.central("officer", "set-pin", "rina", given="819374\n").code == 0


def test_one_that_takes_too_long_is_ended(town: Town) -> None:
    """An empty field is waited for."""
    words = ["read", "nfc", "--device", "udp:127.0.0.1:9", "--once", "--timeout", "60"]
    with pytest.raises(subprocess.TimeoutExpired):
        warm_programs().run(KIOSK[2], words, town.kiosk("IRM1").environment(), None, 0.5)
