"""The reader processes by themselves: NFC over the virtual field by chip, QR over the virtual camera."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from bench import yardsticks
from bench.figures import Figure, Limit, Yardstick, spread
from bench.processes import Speaking, Station, environment, says, station
from bench.world import CHIPS, World
from drivers.virtual.camera import FRAMES_PER_S, picture
from kiosk.demonstration import KIOSK_COMMAND
from kiosk.errors import EnvironmentFault
from kiosk.virtual_readers import cards_file

QR_READS = 100


NFC_LIMITS = {"NTAG215": Limit(15.0), "FeliCa": Limit(10.0), "DESFire": Limit(10.0)}


def measure_nfc(world: World, stock: Mapping[str, Sequence[float]]) -> list[Figure]:
    """From the card found to its payload, and from the card laid down to the line, by kind of chip.

    ``stock`` has the milliseconds that nfcpy alone takes for the same.
    """
    log = world.folder / "nfc.log"
    cards = list(chain(world.one_program(), world.many_programs()))
    reads: dict[str, list[float]] = {chip: [] for chip in CHIPS}
    whole: dict[str, list[float]] = {chip: [] for chip in CHIPS}
    round_trips = Yardstick("one UDP round trip", spread(yardsticks.udp_round_trips(500)))
    with station(world.home, log) as running, _reader(world, running, "nfc") as reader:
        for card_no in cards + cards[:60]:
            begun = time.perf_counter()
            running.put(card_no)
            line = _answer(reader)
            chip = next(name for name in CHIPS if str(line["chip"]).startswith(name))
            whole[chip].append((time.perf_counter() - begun) * 1000)
            reads[chip].append(line["read_ms"])
    return [
        *(
            Figure(
                f"NFC read over udp, {chip}",
                "ms",
                spread(values),
                Yardstick("stock nfcpy", spread(stock[chip])),
                NFC_LIMITS[chip],
                "card found to payload",
            )
            for chip, values in reads.items()
        ),
        Figure(
            "NFC card laid down to line",
            "ms",
            spread([value for values in whole.values() for value in values]),
            round_trips,
            note="also waits for the next round of the reader, which looks about every 0.1 s",
        ),
    ]


def measure_qr(world: World) -> list[Figure]:
    """From the code shown before the camera, in the place of another one, to the reader's line."""
    log = world.folder / "qr.log"
    cards = world.one_program()[:QR_READS]
    times = []
    with station(world.home, log) as running, _reader(world, running, "qr") as reader:
        for card_no in cards:
            running.show_qr(card_no)
            shown = time.perf_counter()
            _answer(reader)
            times.append((time.perf_counter() - shown) * 1000)
    stick = Yardstick("bare JPEG + zbar decode", spread(_bare_decodes(world)))
    note = f"a frame comes every {1000 / FRAMES_PER_S:.0f} ms, by MJPEG over loopback"
    return [Figure("QR shown to read", "ms", spread(times), stick, note=note)]


def _bare_decodes(world: World) -> list[float]:
    """Decoding one such picture by the bare libraries, in milliseconds."""
    import cv2
    import numpy as np
    from pyzbar import pyzbar

    text = json.loads(cards_file(world.home).read_text(encoding="utf-8").splitlines()[0])["qr"]
    jpeg = np.frombuffer(picture(text), dtype=np.uint8)

    def decode() -> None:
        grey = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
        if grey is None or not pyzbar.decode(grey, symbols=[pyzbar.ZBarSymbol.QRCODE]):
            raise EnvironmentFault("bench_stuck", "the bare decoder found no code")

    return yardsticks.times_ms(decode, 50)


def _reader(world: World, running: Station, kind: str) -> Speaking:
    command = [*KIOSK_COMMAND, "read", kind, "--device", running.device(kind)]
    reader = Speaking(command, environment(world.home), world.folder / f"{kind}.log")
    reader.wait_for(says("ready"), "ready reader")
    return reader


def _answer(reader: Speaking) -> dict[str, Any]:
    line: dict[str, Any] = reader.wait_for(lambda line: line.get("event") in ("read", "fault"), "read")
    if line["event"] == "fault":
        raise EnvironmentFault("bench_stuck", f"the reader found {line['code']}")
    return line
