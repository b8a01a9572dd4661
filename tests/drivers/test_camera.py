"""Cameras: found, opened, drained, and each way in which they fail."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.camera import Camera
from drivers.camera_devices import find_cameras, kind_of, refer
from drivers.camera_frame import Grey
from drivers.opencv import READ_TIMEOUT_S
from drivers.qr_pipeline import find_codes
from drivers.virtual.camera import FRAMES_PER_S, HEIGHT, WIDTH, VirtualCamera, picture
from kiosk.errors import EnvironmentFault

TEXT = "KMC1:" + "6BF+70O90M*KE" * 22
CODE = TEXT.encode("ascii")


@pytest.fixture
def virtual() -> Iterator[VirtualCamera]:
    with VirtualCamera() as camera:
        yield camera


@pytest.fixture
def camera(virtual: VirtualCamera) -> Iterator[Camera]:
    opened = Camera(virtual.url)
    opened.open()
    yield opened
    opened.close(5.0)


def fault_of(camera: Camera, within_s: float = 20.0) -> EnvironmentFault:
    deadline = time.monotonic() + within_s
    try:
        while time.monotonic() < deadline:
            camera.newest(0.1)
    except EnvironmentFault as fault:
        return fault
    raise AssertionError("the camera never failed")


def pictures_to_the_end(camera: Camera) -> tuple[list[Grey], EnvironmentFault]:
    """All pictures until the camera fails, and how it failed."""
    pictures: list[Grey] = []
    try:
        while frame := camera.newest(5.0):
            pictures.append(frame.grey)
    except EnvironmentFault as fault:
        return pictures, fault
    raise AssertionError("no picture came for 5 s")


def codes_until_found(camera: Camera, within_s: float = 20.0) -> int:
    """Number of pictures taken until the code was found."""
    deadline = time.monotonic() + within_s
    pictures = 0
    while time.monotonic() < deadline:
        frame = camera.newest(1.0)
        if frame is not None:
            pictures += 1
            if CODE in find_codes(frame.grey):
                return pictures
    raise AssertionError("the code was never seen")


def node(
    sysfs: Path, number: int, name: str, index: int = 0, usb: tuple[str, str, str] | None = None
) -> None:
    folder = sysfs / f"video{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(name + "\n")
    (folder / "index").write_text(f"{index}\n")
    if usb:
        device = sysfs.parent / f"usb{number}"
        (device / "1.0").mkdir(parents=True)
        for file, value in zip(("idVendor", "idProduct", "serial"), usb, strict=True):
            (device / file).write_text(value + "\n")
        (folder / "device").symlink_to(device / "1.0")


def test_cameras_are_found_without_opening_them(tmp_path: Path) -> None:
    sysfs = tmp_path / "video4linux"
    node(sysfs, 0, "bcm2835-codec-decode")
    node(sysfs, 1, "unicam")
    node(sysfs, 10, "HD Webcam", usb=("046d", "0825", "A1B2"))
    node(sysfs, 11, "HD Webcam", index=1, usb=("046d", "0825", "A1B2"))
    found = find_cameras(sysfs)
    assert [(camera.path, camera.name, camera.fingerprint) for camera in found] == [
        ("/dev/video10", "HD Webcam", "046d:0825:A1B2"),
        ("/dev/video1", "unicam", "/dev/video1"),
    ]
    assert refer("", sysfs) == found[0]
    assert refer("10", sysfs) == found[0]
    assert refer("/dev/video1", sysfs).name == "unicam"
    assert refer("/dev/video7", sysfs).path == "/dev/video7"


def test_a_stable_name_is_the_same_camera_wherever_it_is_plugged(tmp_path: Path) -> None:
    sysfs, by_id = tmp_path / "video4linux", tmp_path / "by-id"
    by_id.mkdir()
    node(sysfs, 2, "HD Webcam", usb=("046d", "0825", "A1B2"))
    node(sysfs, 3, "Other Camera", usb=("1234", "0001", "Z"))
    link = by_id / "usb-046d_HD_Webcam_A1B2-video-index0"
    for number, name in ((2, "HD Webcam"), (3, "Other Camera")):
        link.unlink(missing_ok=True)
        link.symlink_to(f"/dev/video{number}")
        for source in (link.name, str(link)):
            found = refer(source, sysfs, by_id)
            assert (found.path, found.name, found.fingerprint) == (str(link), name, str(link))
            assert found.capabilities == {"qr"}
    link.unlink()
    link.symlink_to("/dev/video9")
    assert refer(link.name, sysfs, by_id).name == link.name, "sysfs does not know it yet"


def test_a_name_that_udev_did_not_give_is_a_file(tmp_path: Path) -> None:
    found = refer("usb-nothing-video-index0", tmp_path, tmp_path)
    assert kind_of(found.path) == "recording"
    with pytest.raises(EnvironmentFault) as caught:
        Camera("usb-nothing-video-index0", sysfs=tmp_path, by_id=tmp_path).open()
    assert caught.value.code == "camera_missing"


def test_a_node_that_is_no_camera_is_missing() -> None:
    """Opened the way of V4L2, which asks the driver what it is."""
    with pytest.raises(EnvironmentFault) as caught:
        Camera("/dev/null").open()
    assert caught.value.code == "camera_missing"


def test_a_password_of_a_network_camera_is_used_and_not_told() -> None:
    assert refer("rtsp://kiosk:s3cret@127.0.0.1/camera").path == "rtsp://127.0.0.1/camera"


def test_no_camera_at_all(tmp_path: Path) -> None:
    assert find_cameras(tmp_path / "none") == []
    with pytest.raises(EnvironmentFault) as caught:
        Camera("", sysfs=tmp_path / "none").open()
    assert caught.value.code == "camera_missing"


def test_a_password_in_an_address_stays_out_of_the_reference() -> None:
    camera = Camera("http://kiosk:s3cret@127.0.0.1:1/stream.mjpg")
    assert camera.reference.path == "http://127.0.0.1:1/stream.mjpg"
    with pytest.raises(EnvironmentFault) as caught:
        camera.open()
    assert caught.value.code == "camera_missing"
    assert "s3cret" not in str(caught.value.as_json())


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("/dev/video0", "device"),
        ("/dev/v4l/by-id/usb-046d_HD_Webcam_A1B2-video-index0", "device"),
        ("/dev/v4l/by-path/pci-0000:00:14.0-usb-0:2:1.0-video-index0", "device"),
        ("rtsp://127.0.0.1:554/camera", "stream"),
        ("/dev/null", "device"),
        ("http://127.0.0.1/s.mjpg", "stream"),
        ("tests/shot_%03d.png", "recording"),
        ("a.avi", "recording"),
    ],
)
def test_kinds_of_sources(source: str, kind: str) -> None:
    assert kind_of(source) == kind


@pytest.mark.parametrize("source", ["97", "/dev/video97", "nowhere.avi", "nowhere_%03d.png"])
def test_what_is_not_there_is_missing(source: str, tmp_path: Path) -> None:
    camera = Camera(source if source[0] != "n" else str(tmp_path / source))
    with pytest.raises(EnvironmentFault) as caught:
        camera.open()
    assert caught.value.code == "camera_missing"
    assert not camera.is_open


def test_a_file_that_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(b"RIFF" + bytes(2000))
    with pytest.raises(EnvironmentFault) as caught:
        Camera(str(tmp_path / "a.avi")).open()
    assert caught.value.code == "camera_missing"


def test_a_closed_camera_gives_nothing() -> None:
    with pytest.raises(EnvironmentFault) as caught:
        Camera("http://127.0.0.1:1/s.mjpg").newest(0.0)
    assert caught.value.code == "camera_gone"


def shots(count: int = 12) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    for number in range(count):
        jpeg = np.frombuffer(picture(TEXT if 3 <= number < 9 else None), np.uint8)
        yield np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), dtype=np.uint8)


def avi(folder: Path) -> str:
    path = folder / "cards.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (WIDTH, HEIGHT))
    for shot in shots():
        writer.write(shot)
    writer.release()
    return str(path)


def sequence(folder: Path) -> str:
    for number, shot in enumerate(shots()):
        cv2.imwrite(str(folder / f"shot_{number:03d}.png"), shot)
    return str(folder / "shot_%03d.png")


@pytest.mark.parametrize("make", [avi, sequence])
def test_a_recording_gives_each_picture_once_and_then_is_gone(tmp_path: Path, make: object) -> None:
    assert callable(make)
    camera = Camera(make(tmp_path))
    camera.open()
    pictures, fault = pictures_to_the_end(camera)
    assert {one.shape for one in pictures} == {(HEIGHT, WIDTH)}
    assert [find_codes(one) == [CODE] for one in pictures] == [3 <= number < 9 for number in range(12)]
    assert fault.code == "camera_gone"
    assert "recording" in fault.message
    camera.close()
    camera.open()
    assert camera.newest(5.0) is not None, "it plays again after it was opened again"
    camera.close()


def test_the_stream_gives_the_picture_that_is_shown(virtual: VirtualCamera, camera: Camera) -> None:
    virtual.show(TEXT)
    assert codes_until_found(camera) <= 5


def test_a_reader_that_was_busy_gets_the_newest_picture(virtual: VirtualCamera, camera: Camera) -> None:
    assert camera.newest(5.0) is not None
    enough = virtual.frames_sent + 3 * FRAMES_PER_S
    deadline = time.monotonic() + 30
    while virtual.frames_sent < enough:
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
    virtual.show(TEXT)
    assert codes_until_found(camera) <= 6, "three seconds of old pictures came first"


def test_times_of_pictures_go_up(camera: Camera) -> None:
    times = [frame.at for _ in range(5) if (frame := camera.newest(5.0))]
    assert len(times) == 5
    assert times == sorted(set(times))


def test_a_stalled_camera_and_its_return(virtual: VirtualCamera, camera: Camera) -> None:
    assert camera.newest(5.0) is not None
    virtual.stall()
    began = time.monotonic()
    fault = fault_of(camera)
    assert fault.code == "camera_stalled"
    assert time.monotonic() - began < READ_TIMEOUT_S + 1.0
    camera.close()
    with pytest.raises(EnvironmentFault) as caught:
        camera.open()
    assert caught.value.code in ("camera_stalled", "camera_missing")
    virtual.flow()
    virtual.show(TEXT)
    camera.open()
    assert codes_until_found(camera)


def test_a_camera_that_goes_and_its_return(virtual: VirtualCamera, camera: Camera) -> None:
    assert camera.newest(5.0) is not None
    virtual.stop()
    began = time.monotonic()
    fault = fault_of(camera)
    assert fault.code == "camera_gone"
    assert time.monotonic() - began < 1.0
    camera.close()
    with pytest.raises(EnvironmentFault) as caught:
        camera.open()
    assert caught.value.code == "camera_missing"
    virtual.start()
    virtual.show(TEXT)
    camera.open()
    assert codes_until_found(camera)


def test_opening_twice_and_closing_twice_is_harmless(camera: Camera) -> None:
    camera.open()
    assert camera.newest(5.0) is not None
    camera.close()
    camera.close()
    assert not camera.is_open


def test_no_thread_is_left_behind(virtual: VirtualCamera) -> None:
    before = threading.active_count()
    for _ in range(5):
        camera = Camera(virtual.url)
        camera.open()
        camera.newest(1.0)
        camera.close(5.0)
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert threading.active_count() <= before


class _Garbage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/page":
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>" + b"sign in " * 5000)
            return
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        good = picture(TEXT)
        for number in range(30):
            jpeg = good[:600] + bytes(4000) if number % 3 == 1 else good
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode("ascii") + jpeg + b"\r\n")
            threading.Event().wait(1 / FRAMES_PER_S)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def garbage() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Garbage)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_address_that_is_a_page_is_no_camera(garbage: str) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        Camera(f"{garbage}/page").open()
    assert caught.value.code == "camera_missing"


def test_damaged_pictures_are_passed_over(garbage: str) -> None:
    camera = Camera(f"{garbage}/damaged")
    camera.open()
    pictures, fault = pictures_to_the_end(camera)
    assert [CODE] in [find_codes(one) for one in pictures]
    assert fault.code == "camera_gone"
    camera.close()


def test_a_virtual_camera_keeps_its_port_and_answers_nothing_else(virtual: VirtualCamera) -> None:
    port = virtual.port
    assert virtual.start() == port
    virtual.stop()
    virtual.stop()
    assert virtual.start() == port
    with pytest.raises(EnvironmentFault):
        Camera(f"http://127.0.0.1:{port}/other").open()


def test_a_text_that_no_code_holds(virtual: VirtualCamera) -> None:
    with pytest.raises(ValueError, match=r"[Dd]ata"):
        virtual.show("KMC1:" + "A" * 4000)


def test_two_viewers_of_one_camera_each_see_it_live(virtual: VirtualCamera, camera: Camera) -> None:
    with contextlib.closing(Camera(virtual.url)) as other:
        other.open()
        for viewer in (camera, other):
            seen = set()
            for _ in range(12):
                frame = viewer.newest(5.0)
                assert frame is not None
                seen.add(frame.small.tobytes())
            assert len(seen) > 1
