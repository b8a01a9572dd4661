"""What a card costs the reader: host commands, milliseconds at two speeds of USB, rounds of an empty field.

Stock nfcpy reads the same virtual cards over the same transports in the same run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

import nfc.clf
import nfc.clf.acr122
import nfc.tag

from bench import reader_returns, reads, yardsticks
from bench.figures import Figure, Limit, Yardstick, single, spread
from bench.world import CHIPS, World
from drivers.nfc_reader import LEAST_REST_S, ROUND_S, TECHNOLOGIES, NfcConnection
from drivers.reader import DeviceReference
from drivers.virtual.field import VirtualField
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead
from tests.drivers.acr122 import Acr122Transport, OverTransport
from tests.drivers.nfc_rig import make_card

COMMAND_MS = (2, 9)
"""A host command over USB: of a quick reader, and of an ACR122U."""
MOST_COMMANDS = 20
ROUNDS_PER_S = 8
MOST_MISSES = 50
_READS = 60
_ROUNDS = 60
_POLLS = 10


def measure(world: World, screen: Mapping[str, str]) -> list[Figure]:
    """All that concerns card readers."""
    logging.getLogger("nfc").setLevel(logging.CRITICAL)
    return [
        *measure_commands(),
        *measure_empty_field(),
        *reads.measure_nfc(world, stock_reads()),
        *reader_returns.measure(world, screen),
    ]


def measure_commands() -> list[Figure]:
    """One NTAG215 with 194 bytes of NDEF on an ACR122U, from an empty field to the credential."""
    ours_ms, ours = _ours()
    stock_ms, stock = _stock()
    yardstick = Yardstick("stock nfcpy", single(stock))
    note = "sense, select, GET_VERSION, FAST_READ, READ_SIG; counted at the USB transport"
    figures = [Figure("NFC host commands, NTAG215", "", single(ours), yardstick, Limit(MOST_COMMANDS), note)]
    for command_ms in COMMAND_MS:
        figures.append(
            Figure(
                f"NFC tap modelled at {command_ms} ms a command",
                "ms",
                spread([value + ours * command_ms for value in ours_ms]),
                Yardstick("stock nfcpy", spread([value + stock * command_ms for value in stock_ms])),
                note="commands times that, and what the reader process itself computed",
            )
        )
    return figures


def _ours() -> tuple[list[float], int]:
    """Milliseconds of each read without any delay of USB, and the most host commands one took."""
    transport = Acr122Transport()
    times, most = [], 0
    with OverTransport(transport) as connection:
        for number in range(_READS):
            transport.card = make_card("NTAG215", number)
            before, begun = transport.writes, time.perf_counter()
            event = None
            while not isinstance(event, CardRead):
                event = connection.poll()
                if transport.writes - before > 20 * MOST_COMMANDS:
                    raise EnvironmentFault("bench_stuck", f"the card was not read: {event}")
            times.append((time.perf_counter() - begun) * 1000)
            most = max(most, transport.writes - before)
            transport.card = None
            for _ in range(_POLLS):
                connection.poll()
    return times, most


def _stock() -> tuple[list[float], int]:
    """The same by nfcpy alone: sense, activate, read the NDEF message."""
    transport = Acr122Transport()
    times, most = [], 0
    frontend = nfc.clf.ContactlessFrontend()
    frontend.device = nfc.clf.acr122.init(transport)
    for number in range(_READS):
        transport.card = make_card("NTAG215", number)
        before, begun = transport.writes, time.perf_counter()
        target = frontend.sense(nfc.clf.RemoteTarget("106A"), iterations=1)
        if not _reads_stock(frontend, target):
            raise EnvironmentFault("bench_stuck", "stock nfcpy found no NDEF message")
        times.append((time.perf_counter() - begun) * 1000)
        most = max(most, transport.writes - before)
    frontend.close()
    return times, most


def _reads_stock(frontend: nfc.clf.ContactlessFrontend, target: object) -> bool:
    """nfcpy's tag layer finds the NDEF message."""
    tag = nfc.tag.activate(frontend, target) if target is not None else None
    return tag is not None and tag.ndef is not None and bool(tag.ndef.octets)


def measure_empty_field() -> list[Figure]:
    """Rounds over an empty virtual field, and what a round costs on an ACR122U."""
    with VirtualField() as field, NfcConnection(DeviceReference("nfc", field.path)) as connection:
        rounds = []
        for _ in range(_ROUNDS):
            begun = time.perf_counter()
            connection.poll()
            rounds.append((time.perf_counter() - begun + connection.interval_s) * 1000)
    round_trips = Yardstick("one UDP round trip", spread(yardsticks.udp_round_trips(100)))
    limit = Limit(1000 / ROUNDS_PER_S, "p50")
    figures = [
        Figure(
            f"NFC round of an empty field, {len(TECHNOLOGIES)} technologies",
            "ms",
            spread(rounds),
            round_trips,
            limit,
            f"{ROUNDS_PER_S} a second are asked for; with the rest between rounds",
        )
    ]
    transport = Acr122Transport()
    with OverTransport(transport) as reader:
        reader.poll()
        before, begun = transport.writes, time.perf_counter()
        for _ in range(_ROUNDS):
            reader.poll()
        own_ms = (time.perf_counter() - begun) * 1000 / _ROUNDS
        commands = (transport.writes - before) / _ROUNDS
    for command_ms in COMMAND_MS:
        round_ms = own_ms + commands * command_ms
        whole = max(round_ms + LEAST_REST_S * 1000, ROUND_S * 1000)
        note = f"{commands:g} host commands a round"
        name = f"  modelled on an ACR122U at {command_ms} ms a command"
        figures.append(Figure(name, "ms", single(whole), None, limit, note))
    return figures


def stock_reads() -> dict[str, list[float]]:
    """Milliseconds from card found to NDEF message by nfcpy alone, over udp, by kind of chip.

    Its time-outs are those of radio: now and then it misses what a process answers, and looks again.
    """
    found: dict[str, list[float]] = {}
    with VirtualField() as field, nfc.clf.ContactlessFrontend(field.path) as frontend:
        for chip in CHIPS:
            technology = nfc.clf.RemoteTarget("212F" if chip == "FeliCa" else "106A")
            for number in range(_READS):
                field.put(make_card(chip, number))
                for attempt in range(MOST_MISSES):
                    target = frontend.sense(technology, iterations=1)
                    begun = time.perf_counter()
                    if _reads_stock(frontend, target):
                        found.setdefault(chip, []).append((time.perf_counter() - begun) * 1000)
                        break
                    if attempt + 1 == MOST_MISSES:
                        raise EnvironmentFault("bench_stuck", f"stock nfcpy cannot read {chip} over udp")
    return found
