"""Devices listed without opening them, and refusals that name their fix."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import usb1

from drivers import usb_reset
from drivers.nfc_budget import BudgetedFrontend, BudgetSpent
from drivers.nfc_devices import check_access, find_device, find_devices, open_device
from drivers.nfc_reader import NfcConnection
from drivers.reader import DeviceReference
from kiosk.errors import EnvironmentFault

REFERENCE = DeviceReference("nfc", "usb:001:009", "Sony RC-S380", "usb:054c:06c3@1-2.3")


def usb(vendor: int, product: int, bus: int, address: int, *interfaces: int) -> Any:
    """A device as libusb lists it; opening it fails the test."""

    def refuse() -> None:
        raise AssertionError("a listed device was opened")

    return SimpleNamespace(
        getVendorID=lambda: vendor,
        getProductID=lambda: product,
        getBusNumber=lambda: bus,
        getDeviceAddress=lambda: address,
        getPortNumberList=lambda: [2, 3],
        iterSettings=lambda: [SimpleNamespace(getClass=partial(int, interface)) for interface in interfaces],
        open=refuse,
    )


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The USB devices that libusb lists."""
    devices: list[Any] = []

    class Context:
        def __enter__(self) -> Context:
            return self

        def __exit__(self, *_: object) -> None: ...

        def getDeviceIterator(self, skip_on_error: bool) -> Iterator[Any]:
            return iter(devices)

    monkeypatch.setattr("usb1.USBContext", Context)
    return devices


def test_usb_can_be_listed_here() -> None:
    assert all(device.kind == "nfc" for device in find_devices())


def test_only_supported_readers_are_listed_and_none_is_opened(plugged: list[Any]) -> None:
    plugged += [usb(0x054C, 0x06C3, 1, 9), usb(0x1D6B, 0x0002, 1, 1), usb(0x072F, 0x2200, 1, 4)]
    first, second = find_devices()
    assert (first.path, first.name) == ("usb:001:004", "ACS ACR122U")
    assert first.capabilities >= {"type_a", "type_f", "buzzer"}
    assert second == DeviceReference(
        "nfc", "usb:001:009", "Sony RC-S380", "usb:054c:06c3@1-2.3", frozenset({"type_a", "type_f"})
    )


@pytest.mark.parametrize(
    "path", ["", "usb", "usb:054c", "usb:054C:06c3", "usb:001:009", "usb:054c:06c3@1-2.3"]
)
def test_partial_paths_find_the_device(plugged: list[Any], path: str) -> None:
    plugged.append(usb(0x054C, 0x06C3, 1, 9))
    assert find_device(path).path == "usb:001:009"


def test_a_missing_reader_is_said_and_a_ccid_reader_is_hinted_at(plugged: list[Any]) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        find_device("usb")
    assert caught.value.code == "reader_missing"
    plugged.append(usb(0x072F, 0x223B, 1, 4, 0x0B))
    with pytest.raises(EnvironmentFault, match="072f:223b speaks CCID, which needs PC/SC"):
        find_device("usb")


def test_a_node_without_rights_is_denied_with_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda self: True)
    monkeypatch.setattr("os.access", lambda node, mode: False)
    with pytest.raises(EnvironmentFault) as caught:
        check_access(REFERENCE)
    assert caught.value.code == "reader_denied"
    assert 'ATTR{idVendor}=="054c", ATTR{idProduct}=="06c3"' in caught.value.detail["fix"]
    assert "/etc/udev/rules.d/93-kmc-nfc.rules" in caught.value.message


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (PermissionError(13, "Permission denied"), "reader_denied", "udev"),
        (OSError(16, "Device or resource busy"), "reader_denied", "pn533_usb"),
        (OSError(19, "No such device"), "reader_missing", "No such device"),
    ],
)
def test_each_refusal_to_open_has_its_code(
    error: OSError, code: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(ids: tuple[int, int], bus: int, address: int) -> None:
        assert (ids, bus, address) == ((0x054C, 0x06C3), 1, 9)
        raise error

    monkeypatch.setattr("drivers.nfc_transport.open_usb", refuse)
    monkeypatch.setattr("drivers.nfc_devices.check_access", lambda reference: None)
    with pytest.raises(EnvironmentFault, match=word) as caught:
        open_device(REFERENCE, BudgetedFrontend())
    assert caught.value.code == code


@pytest.mark.parametrize("number", [errno.EIO, errno.ETIMEDOUT, errno.EPIPE])
def test_a_device_that_is_stuck_is_reset_and_opened_once_more(
    number: int, plugged: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[object] = []
    device = SimpleNamespace(chipset=SimpleNamespace(transport=SimpleNamespace()), close=lambda: None)

    def open_usb(ids: tuple[int, int], bus: int, address: int) -> Any:
        happened.append(address)
        if len(happened) == 1:
            raise OSError(number, "stuck")
        return device

    def reset(bus: int, address: int) -> bool:
        happened.append("reset")
        # It comes back in the same socket under another address.
        plugged[:] = [usb(0x054C, 0x06C3, 1, 10)]
        return True

    plugged.append(usb(0x054C, 0x06C3, 1, 9))
    monkeypatch.setattr("drivers.nfc_transport.open_usb", open_usb)
    monkeypatch.setattr("drivers.nfc_devices.check_access", lambda reference: None)
    monkeypatch.setattr("drivers.usb_reset.reset", reset)
    frontend = BudgetedFrontend()
    open_device(find_device("usb"), frontend)
    assert happened == [9, "reset", 10]
    assert frontend.device is device
    frontend.device = None


def test_nonsense_from_a_device_is_a_fault_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def nonsense(ids: tuple[int, int], bus: int, address: int) -> None:
        raise IndexError("bytearray index out of range")

    monkeypatch.setattr("drivers.nfc_transport.open_usb", nonsense)
    monkeypatch.setattr("drivers.nfc_devices.check_access", lambda reference: None)
    with pytest.raises(EnvironmentFault, match="answers without sense") as caught:
        open_device(REFERENCE, BudgetedFrontend())
    assert caught.value.code == "reader_missing"


def test_after_a_hang_the_device_is_reset_before_it_is_opened(
    plugged: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    plugged.append(usb(0x054C, 0x06C3, 1, 9))

    def reset(bus: int, address: int) -> bool:
        happened.append("reset")
        return True

    monkeypatch.setattr("drivers.usb_reset.reset", reset)

    def open_usb(ids: tuple[int, int], bus: int, address: int) -> Any:
        happened.append("open")
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr("drivers.nfc_transport.open_usb", open_usb)
    monkeypatch.setattr("drivers.nfc_devices.check_access", lambda reference: None)
    connection = NfcConnection(DeviceReference("nfc", "usb"), reset=True)
    for _ in range(2):
        with pytest.raises(EnvironmentFault), connection:
            pass
    assert happened == ["reset", "open", "open"]


class _Handle:
    def __init__(self, failure: Exception | None) -> None:
        self._failure = failure

    def __enter__(self) -> _Handle:
        return self

    def __exit__(self, *_: object) -> None: ...

    def resetDevice(self) -> None:
        if self._failure is not None:
            raise self._failure


@pytest.mark.parametrize(
    ("failure", "done"), [(None, True), (usb1.USBErrorNotFound(), True), (usb1.USBErrorAccess(), False)]
)
def test_a_reset_is_libusbs(failure: Exception | None, done: bool, plugged: list[Any]) -> None:
    device = usb(0x054C, 0x06C3, 1, 9)
    device.open = lambda: _Handle(failure)
    plugged += [usb(0x054C, 0x06C3, 1, 8), device]
    assert usb_reset.reset(1, 9) is done
    assert usb_reset.reset(1, 7) is False


@pytest.mark.parametrize("path", ["udp", "udp:127.0.0.1", "udp:127.0.0.1:0", "udp:127.0.0.1:99999"])
def test_a_udp_path_that_is_none_is_missing(path: str) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        open_device(find_device(path), BudgetedFrontend())
    assert caught.value.code == "reader_missing"


def test_a_udp_port_that_has_a_name_is_a_port() -> None:
    frontend = BudgetedFrontend()
    open_device(find_device("udp:127.0.0.1:9"), frontend)  # RFC 863: discard
    assert frontend.device is not None
    assert frontend.device.addr == ("127.0.0.1", 9)
    frontend.close()


def test_the_budget_cuts_time_outs_and_ends_exchanges() -> None:
    now = 100.0
    seen: list[float] = []

    class Device:
        def send_cmd_recv_rsp(self, target: Any, data: bytes, timeout: float) -> bytes:
            seen.append(timeout)
            return data

        def close(self) -> None: ...

    import nfc.clf

    frontend = BudgetedFrontend(lambda: now)
    frontend.device, frontend.target = Device(), nfc.clf.RemoteTarget("106A")
    with frontend.budget(1.5):
        frontend.exchange(b"\x30\x00", 0.1)
        frontend.exchange(b"\x30\x00", 5.0)
        now = 101.4
        frontend.exchange(b"\x30\x00", 0.5)
        now = 101.5
        with pytest.raises(BudgetSpent):
            frontend.exchange(b"\x30\x00", 0.1)
        with pytest.raises(BudgetSpent):
            frontend.sense(nfc.clf.RemoteTarget("106A"))
    frontend.exchange(b"\x30\x00", 5.0)
    assert seen == pytest.approx([0.1, 1.5, 0.1, 5.0])
    frontend.close()
