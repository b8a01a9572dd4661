"""Faces of cards: as large as the standard says, and their codes are read from the rendered page."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image
from pyzbar import pyzbar

from kiosk import durable_file
from kiosk.credential import issue, to_qr
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.values import Medium
from sync.central.card_face import (
    HEIGHT_MM,
    MODULE_LEAST_MM,
    PT_PER_MM,
    QR_LEAST_MM,
    QUIET_MODULES,
    WIDTH_MM,
    Branding,
    Face,
    code_of,
    module_mm,
    photo_of,
    spaced,
)
from sync.central.card_sheet import A4_MM, corners, pages

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
BRANDING = Branding("Kartu Metro Cerita", "Metro")
DPI = 200
QR_CODE = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


def qr(number: int) -> str:
    """A printed credential."""
    return to_qr(issue(KEY, b"\x01" * 8, f"51115928{number:02d}", 1, 1_795_500_000, 1_953_500_000, Medium.QR))


def face(number: int, name: str = "Siti Rahmawati", photo: bytes = b"") -> Face:
    return Face(f"51115928{number:02d}", name, qr(number), date(2031, 11, 24), photo)


def rendered(folder: Path, pdf: bytes) -> list[Image.Image]:
    """The pages as pictures."""
    if shutil.which("pdftoppm") is None:
        pytest.skip("pdftoppm is missing: apt-get install poppler-utils")
    (folder / "faces.pdf").write_bytes(pdf)
    subprocess.run(
        ["pdftoppm", "-r", str(DPI), "-png", folder / "faces.pdf", folder / "page"], check=True, timeout=120
    )
    return [Image.open(path).convert("L") for path in sorted(folder.glob("page-*.png"))]


def test_eight_to_a_sheet_and_each_code_is_read_by_both_decoders(tmp_path: Path) -> None:
    faces = [face(number) for number in range(10)]
    first, second = rendered(tmp_path, pages(faces, BRANDING, "a4"))
    assert (first.width, first.height) == tuple(round(side / 25.4 * DPI) for side in A4_MM)
    found = {code.data.decode() for code in pyzbar.decode(first)}
    assert found == {one.qr for one in faces[:8]}
    codes = zxingcpp.read_barcodes(first, formats=QR_CODE)
    assert {code.bytes.decode() for code in codes} == found
    per_mm = DPI / 25.4
    for code in codes:
        place = code.position
        width = abs(place.top_right.x - place.top_left.x) / per_mm
        assert width >= QR_LEAST_MM - 0.3
    assert {code.data.decode() for code in pyzbar.decode(second)} == {one.qr for one in faces[8:]}


def test_one_to_a_card(tmp_path: Path) -> None:
    picture = tmp_path / "51.png"
    Image.linear_gradient("L").convert("RGB").save(picture)
    long = "Raden Ajeng Kartini Sastroamidjojo Kusumaningrat binti Sosroningrat Adiningrat"
    faces = [face(1), face(2, long), face(3, long, photo_of(picture))]
    pdf = pages(faces, BRANDING, "card")
    for one, page in zip(faces, rendered(tmp_path, pdf), strict=True):
        assert abs(page.width - WIDTH_MM / 25.4 * DPI) <= 1
        assert abs(page.height - HEIGHT_MM / 25.4 * DPI) <= 1
        (code,) = zxingcpp.read_barcodes(page, formats=QR_CODE)
        assert code.bytes.decode() == one.qr
        assert code.ec_level == "M"
        assert [found.data.decode() for found in pyzbar.decode(page)] == [one.qr]
        _check_quiet(page, code)
    box = [float(value) for value in re.findall(rb"/MediaBox \[ 0 0 ([0-9.]+) ([0-9.]+) \]", pdf)[0]]
    assert box == pytest.approx([WIDTH_MM * PT_PER_MM, HEIGHT_MM * PT_PER_MM], abs=0.01)


def _check_quiet(page: Image.Image, code: zxingcpp.Barcode) -> None:
    """Four modules of white on every side."""
    place, modules = code.position, len(code_of(code.bytes.decode()).matrix)
    edge = (place.top_right.x - place.top_left.x) / modules
    quiet = round(edge * QUIET_MODULES) - 2
    left, top, right, low = place.top_left.x, place.top_left.y, place.bottom_right.x, place.bottom_right.y
    around = page.crop((left - quiet, top - quiet, right + quiet, low + quiet))
    inside = Image.new("L", (right - left + 4, low - top + 4), 255)
    around.paste(inside, (quiet - 2, quiet - 2))
    assert around.getextrema() == (255, 255)


def test_fonts_are_embedded_and_the_same_cards_give_the_same_bytes() -> None:
    pdf = pages([face(1)], BRANDING, "card")
    assert pdf == pages([face(1)], BRANDING, "card")
    names = set(re.findall(rb"/FontName /[A-Z]{6}\+([A-Za-z-]+)", pdf))
    assert names == {b"AtkinsonHyperlegibleNext-Regular", b"AtkinsonHyperlegibleNext-Bold"}
    assert pdf.count(b"/FontFile2") >= 2


def test_codes_are_alphanumeric_and_wide_enough() -> None:
    code = code_of(qr(1))
    assert (code.mode, code.error) == ("alphanumeric", "M")
    assert module_mm(code) >= MODULE_LEAST_MM
    assert module_mm(code) * len(code.matrix) >= QR_LEAST_MM
    with pytest.raises(OfficerFault, match="card_refused"):
        code_of("KMC1:" + "A" * 1200)
    with pytest.raises(OfficerFault, match="card_refused"):
        code_of("kmc1: small letters")


def test_cards_of_a_sheet_lie_apart_and_on_it() -> None:
    places = list(corners())
    assert len(set(places)) == 8
    for x, y in places:
        assert 5 <= x <= A4_MM[0] - WIDTH_MM - 5
        assert 5 <= y <= A4_MM[1] - HEIGHT_MM - 5
    for x, y in places:
        for other_x, other_y in places:
            apart = abs(x - other_x) >= WIDTH_MM + 4 or abs(y - other_y) >= HEIGHT_MM + 4
            assert apart or (x, y) == (other_x, other_y)


def test_a_photograph_keeps_nothing_of_what_the_camera_noted(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    Image.new("RGB", (900, 400), "red").save(path, exif=exif)
    assert b"taken at home" in path.read_bytes()
    made = photo_of(path)
    assert b"taken at home" not in made
    path.write_bytes(made)
    with Image.open(path) as opened:
        assert opened.size == (236, 295)
    path.write_bytes(b"no picture")
    with pytest.raises(EnvironmentFault, match="photo_unreadable"):
        photo_of(path)
    with pytest.raises(EnvironmentFault, match="photo_unreadable"):
        photo_of(tmp_path / "none.jpg")


def test_files_are_whole_and_for_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "faces.pdf"
    durable_file.replace(path, b"one")
    durable_file.replace(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(EnvironmentFault, match="write_failed"):
        durable_file.replace(tmp_path / "none" / "faces.pdf", b"")


def test_numbers_are_grouped_for_reading_out() -> None:
    assert spaced("5111592852") == "5111 592 852"
    assert spaced("12345") == "12345"
