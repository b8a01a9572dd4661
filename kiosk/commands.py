"""What the commands of ``kmc-kiosk`` share: the settings, this home's databases, and how answers are told."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from config.load import Loaded, load
from config.mistakes import SettingsFault
from kiosk.errors import EnvironmentFault

if TYPE_CHECKING:  # a command loads only what it needs
    from kiosk.clock import Clock
    from kiosk.counter import Counter
    from kiosk.home import Home
    from kiosk.ledger import Ledger
    from kiosk.ports import RightsSource

    OpenSource = Callable[[Loaded, Home, Clock], AbstractContextManager[RightsSource]]


def settings_or_fault() -> Loaded:
    """The settings. Raises EnvironmentFault ``settings_wrong`` with every mistake."""
    try:
        loaded = load()
        logging.getLogger().setLevel(loaded.settings.log.level.upper())
        return loaded
    except SettingsFault as fault:
        mistakes = [mistake.as_json() for mistake in fault.mistakes]
        raise EnvironmentFault("settings_wrong", str(fault), mistakes=mistakes) from fault


def open_home() -> Home:
    """This kiosk's home. Raises EnvironmentFault as ``Home`` does."""
    from kiosk.home import Home

    return Home(settings_or_fault().home)


@contextmanager
def open_counter(open_source: OpenSource | None = None) -> Iterator[Counter]:
    """The counter of this home, closed at the end; ``open_source`` gives it who asks central for it."""
    from kiosk.clock import SystemClock
    from kiosk.home import Home

    loaded = settings_or_fault()
    limits = loaded.settings.limits
    home, clock = Home(loaded.home), SystemClock()
    with ExitStack() as opened:
        counter = home.counter(
            clock,
            rights=opened.enter_context(open_source(loaded, home, clock)) if open_source else None,
            zone=loaded.settings.zone,
            void_minutes=limits.void_minutes,
            officer_cache_days=limits.officer_cache_days,
        )
        opened.callback(counter.close)
        yield counter


@contextmanager
def open_ledger() -> Iterator[tuple[Ledger, str]]:
    """The ledger of this home and the kiosk's name; closed at the end."""
    home = open_home()
    ledger = home.ledger()
    try:
        yield ledger, home.bundle.enrolment.kiosk
    finally:
        ledger.close()


def tell(arguments: argparse.Namespace, answer: dict[str, Any], text: str) -> int:
    """Prints a command's answer, as JSON where that is wanted; answers the exit code of success."""
    say(arguments, answer, text)
    return 0


def say(arguments: argparse.Namespace, answer: dict[str, Any], text: str) -> None:
    """The same in the middle of a command."""
    print(json.dumps(answer, ensure_ascii=False) if arguments.json else text, flush=True)
