"""The code of an enrolment ticket before a camera, and what is no such code."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from drivers.qr_text import read_code
from drivers.virtual.camera import VirtualCamera
from kiosk.enrolment import TICKET_PREFIX, make_ticket, ticket_as_code, ticket_of_code
from kiosk.errors import EnvironmentFault

TICKET = make_ticket(bytes(32))


@pytest.fixture
def camera() -> Iterator[VirtualCamera]:
    with VirtualCamera() as made:
        yield made


def test_a_tickets_code_is_read_and_a_cards_is_passed_over(camera: VirtualCamera) -> None:
    camera.show("KMC1:6BF+70O90M*KE")
    with pytest.raises(EnvironmentFault) as fault:
        read_code(camera.url, TICKET_PREFIX, 0.5)
    assert fault.value.code == "code_timeout"
    camera.show(ticket_as_code(TICKET))
    assert ticket_of_code(read_code(camera.url, TICKET_PREFIX, 20.0)) == TICKET


def test_a_camera_that_is_not_there_is_said(camera: VirtualCamera) -> None:
    begun = time.monotonic()
    with pytest.raises(EnvironmentFault) as fault:
        read_code("/dev/video97", TICKET_PREFIX, 20.0)
    assert fault.value.code == "camera_missing"
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    "content",
    ["", TICKET, "KMC1:" + TICKET, TICKET_PREFIX, TICKET_PREFIX + TICKET[:-1]],
    ids=["nothing", "the ticket alone", "a card's prefix", "the prefix alone", "cut off"],
)
def test_other_contents_hold_no_ticket(content: str) -> None:
    with pytest.raises(ValueError, match="ticket"):
        ticket_of_code(content)
