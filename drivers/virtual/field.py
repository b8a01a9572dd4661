"""A virtual field: cards that answer nfcpy's udp datagrams themselves, on one socket that stays bound."""

from __future__ import annotations

import select
import socket
import threading
from typing import Self

from drivers.virtual.cards import VirtualCard
from kiosk.errors import EnvironmentFault

RF_OFF = b"RFOFF"


class VirtualField:
    """The antenna of a virtual reader on 127.0.0.1; a card may be put or lifted at any moment.

    Wire format of nfcpy's udp driver: ``b"<brty> <hex>"`` such as ``b"106A 26"``, and ``b"RFOFF"``.
    Frames carry no checksums there, as in the driver.
    """

    def __init__(self, port: int = 0) -> None:
        self._wanted_port = port
        self._lock = threading.Lock()
        self._card: VirtualCard | None = None
        self._beside: VirtualCard | None = None
        self._answered = 0
        self._socket: socket.socket | None = None
        self._wake: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self.frames = 0
        """Frames heard since the card was put."""

    def start(self) -> int:
        """Bind and answer from a thread of its own; the port. Raises EnvironmentFault reader_missing."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            listening.bind(("127.0.0.1", self._wanted_port))
        except OSError as error:
            listening.close()
            raise EnvironmentFault(
                "reader_missing", f"virtual field cannot use port {self._wanted_port}: {error}"
            ) from error
        self._wake, waker = socket.socketpair()
        self._socket = listening
        self._thread = threading.Thread(
            target=self._serve, args=(listening, waker), name="virtual-field", daemon=True
        )
        self._thread.start()
        port = listening.getsockname()[1]
        return int(port)

    def stop(self) -> None:
        """End the thread and free the port."""
        if self._wake is not None:
            self._wake.close()
            self._wake = None
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The bound port; 0 when not started."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else 0

    @property
    def path(self) -> str:
        """What the NFC reader takes as its device: ``udp:127.0.0.1:PORT``."""
        return f"udp:127.0.0.1:{self.port}"

    @property
    def card(self) -> VirtualCard | None:
        """The card in the field; None after it was lifted, by hand or by its script."""
        with self._lock:
            return self._card

    def put(self, card: VirtualCard) -> None:
        """Lay this card into the field; it replaces the one that lies there."""
        with self._lock:
            card.reset()
            self._card, self._beside, self._answered, self.frames = card, None, 0, 0

    def put_beside(self, card: VirtualCard) -> None:
        """Lay a second card next to it: all it hears, the first one's answers drown out its own."""
        with self._lock:
            card.reset()
            self._beside = card

    def lift(self) -> None:
        """Take the cards away; nothing happens if there are none."""
        with self._lock:
            self._card = self._beside = None

    def _serve(self, listening: socket.socket, waker: socket.socket) -> None:
        with waker:
            while True:
                readable = select.select([listening, waker], [], [])[0]
                if waker in readable:
                    return
                datagram, address = listening.recvfrom(4096)
                answer = self._answer(datagram)
                if answer is not None:
                    listening.sendto(answer, address)

    def _answer(self, datagram: bytes) -> bytes | None:
        with self._lock:
            card = self._card
            if card is None:
                return None
            beside = self._beside
            if datagram.startswith(RF_OFF):
                card.reset()
                if beside is not None:
                    beside.reset()
                return None
            name, _, hexed = datagram.partition(b" ")
            try:
                technology, frame = name.decode("ascii"), bytes.fromhex(hexed.decode("ascii"))
            except ValueError:
                return None
            if not frame:
                return None
            self.frames += 1
            if card.script.on_frame is not None:
                card.script.on_frame(technology, frame)
            answer = card.answer(technology, frame)
            drowned = beside.answer(technology, frame) if beside is not None else None
            if answer is None:
                return f"{technology} {drowned.hex()}".encode("ascii") if drowned else None
            self._answered += 1
            if card.script.lift_after is not None and self._answered > card.script.lift_after:
                self._card = None
                return None
            return f"{technology} {answer.hex()}".encode("ascii")
