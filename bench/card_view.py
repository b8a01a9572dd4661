"""A printed card as a 720p camera sees it: the card, the lens, the sensor and the cable are modelled.

Every picture follows from its seed alone. Lengths on the card are in modules of its code, in the picture in
pixels, light in electrons. The camera is a pinhole of 65° with the distortion of a cheap lens, its sensor one
with a Bayer mosaic, shot noise and read noise; the picture goes through JPEG as it does by USB or HTTP.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import base45
import cv2
import numpy as np
import segno
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[np.uint8]
Light: TypeAlias = NDArray[np.float32]

WIDTH, HEIGHT = 1280, 720
FOCAL_PX = WIDTH / 2 / np.tan(np.radians(65 / 2))
BARREL = -0.06
"""Radial distortion of the first order (Brown 1971), relative to the focal length."""
TEXTURE_PX = 8
"""Pixels of the printed card per module."""
QUIET = 4
"""Blank modules around a code (ISO/IEC 18004, 9.1)."""
CARD_MODULES = (195.0, 123.0)
"""An ID-1 card (ISO/IEC 7810: 85.6 × 54 mm) in modules of 0.44 mm: a code of version 10 is 25 mm wide."""
PAPER, INK, SKIN = 0.82, 0.05, 0.42
"""Share of the light that comes back."""
WHITE_LEVEL = 0.75
"""Where the camera's exposure puts white paper, as a share of the full signal."""
READ_NOISE = 1.6
"""Electrons, root mean square: small back-lit sensors have 1 to 3."""
CREDENTIAL_BYTES = (150, 185)
"""Length of a signed credential before it is deflated; most of it does not deflate."""


@dataclass(frozen=True, slots=True)
class View:
    """How one card is held and seen."""

    seed: int
    has_code: bool
    px_per_module: float
    """At the middle of the code, across the direction in which it is tilted."""
    tilt_deg: float
    tilt_to_deg: float
    turn_deg: float
    defocus_px: float
    """Radius of the disc to which a point spreads."""
    motion_px: float
    motion_to_deg: float
    electrons: float
    """Of white paper in the middle of the picture, per pixel."""
    glare: float
    """0 = none; 1 = the lamp's mirror image is as bright as the paper."""
    finger: float
    """0 = none; else how many modules of the code a finger tip covers at most, 4 less is its quiet zone."""
    jpeg: int


def draw_view(seed: int, *, has_code: bool = True) -> View:
    """The view of that seed, each property drawn by itself: 1.5–6 pixels a module, tilt to 60°, blur to 3 px,
    12 to 3000 electrons, glare and a finger on every fourth card, JPEG 30–90.

    The middle of each range is likelier than its bad end, as it is at a counter.
    """
    rng = np.random.default_rng([seed, int(has_code)])
    return View(
        seed=seed,
        has_code=has_code,
        px_per_module=float(rng.uniform(1.5, 6)),
        tilt_deg=float(60 * rng.uniform() ** 2),
        tilt_to_deg=float(rng.uniform(0, 360)),
        turn_deg=float(rng.uniform(0, 360)),
        defocus_px=float(3 * rng.uniform() ** 3),
        motion_px=float(3 * rng.uniform() ** 3),
        motion_to_deg=float(rng.uniform(0, 180)),
        electrons=float(12 * 250 ** rng.uniform()),
        glare=float(rng.uniform(0.3, 3.0)) if rng.uniform() < 0.25 else 0.0,
        finger=float(rng.uniform(0.5, 5.5)) if rng.uniform() < 0.25 else 0.0,
        jpeg=int(rng.integers(30, 91)),
    )


def content_of(seed: int) -> bytes:
    """What the code of that seed holds: the prefix, and random bytes in the length of a real credential."""
    rng = np.random.default_rng([seed, 7])
    body = rng.bytes(int(rng.integers(*CREDENTIAL_BYTES)))
    return b"KMC1:" + bytes(base45.b45encode(zlib.compress(body, 9)))


def digest_of(pictures: list[Picture]) -> str:
    """A short name of these very pictures: the same set gives the same on each machine of a kind."""
    joined = hashlib.sha256()
    for picture in pictures:
        joined.update(picture.tobytes())
    return joined.hexdigest()[:16]


def picture_of(view: View) -> Picture:
    """The picture in grey, 720 × 1280, as it comes out of the camera's JPEG."""
    decoded = cv2.imdecode(np.frombuffer(jpeg_of(view), np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(np.asarray(decoded), cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def jpeg_of(view: View) -> bytes:
    """The same picture in colour as the JPEG that the camera sends."""
    rng = np.random.default_rng([view.seed, 11, int(view.has_code)])
    light = _background(rng)
    code_at = _put_card(light, view, rng)
    light = _seen_by_lens(light, view, code_at, rng)
    return _as_jpeg(_seen_by_sensor(light, view, rng), view.jpeg)


def empty_room(seed: int, count: int) -> tuple[bytes, ...]:
    """So many JPEGs of the same room with nobody in it, which differ by the sensor's noise alone."""
    rng = np.random.default_rng([seed, 17])
    view = replace(draw_view(seed), glare=0.0, defocus_px=0.0, motion_px=0.0, electrons=600.0, jpeg=80)
    light = _seen_by_lens(_background(rng), view, (0.0, 0.0), rng)
    return tuple(_as_jpeg(_seen_by_sensor(light, view, rng), view.jpeg) for _ in range(count))


def _as_jpeg(colour: Picture, quality: int) -> bytes:
    written, jpeg = cv2.imencode(".jpg", colour, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not written:
        raise ValueError("the picture could not be written as JPEG")
    return jpeg.tobytes()


def _background(rng: np.random.Generator) -> Light:
    """A room out of focus, and now and then a checked shirt or a poster's lines."""
    coarse = rng.uniform(0.05, 0.6, (9, 16)).astype(np.float32)
    light = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    what = rng.integers(0, 4)
    if what == 0:
        size = int(rng.integers(14, 60))
        rows, columns = np.indices((HEIGHT, WIDTH))
        light = light * (0.7 + 0.3 * ((rows // size + columns // size) % 2))
    elif what == 1:
        print_there = np.zeros((HEIGHT, WIDTH), np.uint8)
        for _ in range(12):
            at = (int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT)))
            height = float(rng.uniform(0.6, 2.5))
            cv2.putText(
                print_there, "METRO 2026", at, cv2.FONT_HERSHEY_SIMPLEX, height, (255,), 3, cv2.LINE_AA
            )
        light = np.where(print_there > 127, INK, light)
    light = cv2.GaussianBlur(np.asarray(light, dtype=np.float32), (0, 0), float(rng.uniform(1.5, 6)))
    return np.clip(light, 0.02, 0.9).astype(np.float32)


def _printed_card(view: View, rng: np.random.Generator) -> tuple[Light, tuple[float, float], float]:
    """The card in reflectance, where the code's middle is on it and its width, both in modules."""
    if view.has_code:
        code = segno.make(content_of(view.seed).decode("ascii"), error="m", boost_error=False, micro=False)
        modules = np.array([list(row) for row in code.matrix], dtype=np.uint8)
    else:
        modules = np.zeros((57, 57), np.uint8)
    count = len(modules)
    wide, high = int(CARD_MODULES[0]), int(CARD_MODULES[1])
    paper, ink = round(255 * PAPER), round(255 * INK)
    card = np.full((high, wide), paper, np.uint8)
    left, top = wide - count - QUIET - 6, (high - count) // 2
    card[top : top + count, left : left + count][modules > 0] = ink
    texture = cv2.resize(card, None, fx=TEXTURE_PX, fy=TEXTURE_PX, interpolation=cv2.INTER_NEAREST)
    # Beside the code: the bearer's name and numbers in print.
    for line, size in enumerate((2.6, 1.6, 1.6, 1.1)):
        words = "".join(rng.choice(list("ABCDEFGHIKLMNOPRSTU 0123456789"), 14))
        at = (6 * TEXTURE_PX, (24 + 22 * line) * TEXTURE_PX)
        cv2.putText(texture, words, at, cv2.FONT_HERSHEY_DUPLEX, size * 1.2, (ink,), 4, cv2.LINE_AA)
    if not view.has_code:
        # What stands there instead looks like a code to whoever looks badly: bars, squares, small print.
        for _ in range(30):
            x, y = rng.integers(left, left + 50), rng.integers(top, top + 50)
            w, h = rng.integers(1, 8), rng.integers(1, 8)
            box = np.s_[y * TEXTURE_PX : (y + h) * TEXTURE_PX, x * TEXTURE_PX : (x + w) * TEXTURE_PX]
            texture[box] = ink if rng.uniform() < 0.7 else paper
    # Ink spreads into the paper, about a tenth of a module.
    printed = np.asarray(cv2.GaussianBlur(texture, (0, 0), 0.12 * TEXTURE_PX), dtype=np.uint8)
    middle = (left + count / 2, top + count / 2)
    if view.finger:
        _put_finger(printed, view.finger, middle, count, rng)
    return (printed / np.float32(255)).astype(np.float32), middle, float(count)


def _put_finger(
    texture: Picture, depth: float, middle: tuple[float, float], count: int, rng: np.random.Generator
) -> None:
    """A finger tip over one side of the code: as wide as 14 mm, in modules of 0.44 mm."""
    wide = 32.0
    side = rng.integers(0, 3)
    along = float(rng.uniform(-0.5, 0.5)) * count
    reach = count / 2 + QUIET - depth
    away = {0: (1.0, 0.0), 1: (0.0, 1.0), 2: (0.0, -1.0)}[int(side)]
    tip = (
        middle[0] + away[0] * (reach + wide / 2) + away[1] * along,
        middle[1] + away[1] * (reach + wide / 2) + away[0] * along,
    )
    end = (tip[0] + away[0] * 120, tip[1] + away[1] * 120)
    start_px, end_px = (tuple(round(TEXTURE_PX * value) for value in point) for point in (tip, end))
    cv2.line(texture, start_px, end_px, (round(255 * SKIN),), round(wide * TEXTURE_PX), cv2.LINE_AA)


_GRID: dict[int, NDArray[np.float32]] = {}


def _rays(step: int) -> NDArray[np.float32]:
    """Direction of each subpixel's ray behind the lens, ``step`` of them per pixel and axis."""
    if step not in _GRID:
        rows, columns = np.indices((HEIGHT * step, WIDTH * step), dtype=np.float32)
        x = ((columns + 0.5) / step - WIDTH / 2) / FOCAL_PX
        y = ((rows + 0.5) / step - HEIGHT / 2) / FOCAL_PX
        # The inverse of the distortion, to its first order.
        shrink = 1 - BARREL * (x * x + y * y)
        _GRID[step] = np.stack([x * shrink, y * shrink], axis=-1).astype(np.float32)
    return _GRID[step]


def _put_card(light: Light, view: View, rng: np.random.Generator) -> tuple[float, float]:
    """Projects the card into the room: each subpixel's ray is met with the card's plane.

    Answers the direction in which the code's middle is.
    """
    texture, middle, count = _printed_card(view, rng)
    to_camera = _pose(view, count, rng)
    shrink = TEXTURE_PX / (2 * view.px_per_module)
    if shrink > 1.5:
        # As many texture pixels as subpixels: what is finer would alias.
        smaller = cv2.resize(texture, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
        texture = np.asarray(smaller, dtype=np.float32)
    scale_x, scale_y = texture.shape[1] / CARD_MODULES[0], texture.shape[0] / CARD_MODULES[1]
    # A point (u, v) of the card, in modules from the code's middle, is at to_camera @ (u, v, 1).
    back = np.linalg.inv(to_camera)
    place = np.array([[scale_x, 0, middle[0] * scale_x], [0, scale_y, middle[1] * scale_y], [0, 0, 1]])
    to_texture = (place @ back).astype(np.float64)
    box = _box_of(to_camera, middle)
    rays = _rays(2)[2 * box[1] : 2 * box[3], 2 * box[0] : 2 * box[2]]
    points = cv2.perspectiveTransform(rays.reshape(-1, 1, 2), to_texture).reshape(rays.shape)
    across, down = (np.ascontiguousarray(points[..., axis] - 0.5, dtype=np.float32) for axis in (0, 1))
    card = cv2.remap(
        texture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(-1.0,)
    )
    size = (box[2] - box[0], box[3] - box[1])
    covers = cv2.resize((card > -0.01).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    shown = cv2.resize(np.maximum(card, 0), size, interpolation=cv2.INTER_AREA)
    there = light[box[1] : box[3], box[0] : box[2]]
    there *= 1 - covers
    there += shown
    return float(to_camera[0, 2] / to_camera[2, 2]), float(to_camera[1, 2] / to_camera[2, 2])


def _pose(view: View, count: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """From a point of the card (u, v, 1), in modules from the code's middle, to its ray behind the lens."""
    distance = FOCAL_PX / view.px_per_module
    tilt, to, turn = np.radians([view.tilt_deg, view.tilt_to_deg, view.turn_deg])

    def about_z(angle: float) -> NDArray[np.float64]:
        cos, sin = np.cos(angle), np.sin(angle)
        return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])

    cos, sin = np.cos(tilt), np.sin(tilt)
    about_x = np.array([[1.0, 0, 0], [0, cos, -sin], [0, sin, cos]])
    rotation = about_z(to) @ about_x @ about_z(turn - to)
    half = count / 2 * view.px_per_module * 1.45
    free_x, free_y = max(0.0, WIDTH / 2 - half), max(0.0, HEIGHT / 2 - half)
    at_x, at_y = (float(rng.uniform(-1, 1)) * free for free in (free_x, free_y))
    at = np.array([at_x / FOCAL_PX * distance, at_y / FOCAL_PX * distance, distance])
    return np.column_stack([rotation[:, 0], rotation[:, 1], at])


def _box_of(to_camera: NDArray[np.float64], middle: tuple[float, float]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part of the picture in which the card may be."""
    wide, high = CARD_MODULES
    corners = np.array([[x - middle[0], y - middle[1], 1] for x in (0, wide) for y in (0, high)])
    seen = corners @ to_camera.T
    if (seen[:, 2] < 1).any():
        return 0, 0, WIDTH, HEIGHT
    x, y = (seen[:, :2] / seen[:, 2:]).T * FOCAL_PX
    left, right = np.clip([x.min() + WIDTH / 2 - 30, x.max() + WIDTH / 2 + 30], 0, WIDTH).astype(int)
    top, bottom = np.clip([y.min() + HEIGHT / 2 - 30, y.max() + HEIGHT / 2 + 30], 0, HEIGHT).astype(int)
    return int(left), int(top), int(right), int(bottom)


def _seen_by_lens(light: Light, view: View, code_at: tuple[float, float], rng: np.random.Generator) -> Light:
    """Lamps, their mirror image on the card, and the lens's blur and darker corners."""
    rows, columns = np.indices((HEIGHT, WIDTH), dtype=np.float32)
    x, y = (columns - WIDTH / 2) / FOCAL_PX, (rows - HEIGHT / 2) / FOCAL_PX
    lean = rng.uniform(-0.6, 0.6, 2)
    light = light * np.clip(1 + lean[0] * x + lean[1] * y, 0.2, 2)
    if view.glare:
        at = np.array(code_at) + rng.uniform(-0.15, 0.15, 2)
        wide = rng.uniform(0.02, 0.08, 2)
        spot = np.exp(-(((x - at[0]) / wide[0]) ** 2 + ((y - at[1]) / wide[1]) ** 2))
        light = light + view.glare * PAPER * spot
    light = light / (1 + x * x + y * y) ** 2  # the fourth power of the cosine
    for kernel in (_disc(view.defocus_px), _disc(0.45), _line(view.motion_px, view.motion_to_deg)):
        if kernel.size > 1:
            spread = cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REPLICATE)
            light = np.asarray(spread, dtype=np.float32)
    return light.astype(np.float32)


def _disc(radius_px: float) -> Light:
    """The kernel of a disc with soft edges."""
    if radius_px < 0.05:
        return np.ones((1, 1), np.float32)
    half, fine = int(np.ceil(radius_px)), 9
    size = (2 * half + 1) * fine
    at = (np.arange(size) + 0.5) / fine - (half + 0.5)
    disc = (at[:, None] ** 2 + at[None, :] ** 2 <= radius_px**2).astype(np.float32)
    return _whole(cv2.resize(disc, (2 * half + 1,) * 2, interpolation=cv2.INTER_AREA))


def _line(length_px: float, to_deg: float) -> Light:
    """The kernel of a straight path."""
    if length_px < 0.05:
        return np.ones((1, 1), np.float32)
    half, fine = int(np.ceil(length_px / 2 + 0.5)), 9
    middle = (half + 0.5) * fine
    reach = length_px / 2 * fine
    along = np.linspace(-reach, reach, 101)
    path = np.zeros(((2 * half + 1) * fine,) * 2, np.float32)
    across = np.linspace(-fine / 2, fine / 2, 9)
    cos, sin = np.cos(np.radians(to_deg)), np.sin(np.radians(to_deg))
    x = (middle + along[:, None] * cos - across[None, :] * sin).astype(int)
    y = (middle + along[:, None] * sin + across[None, :] * cos).astype(int)
    np.add.at(path, (np.clip(y, 0, len(path) - 1), np.clip(x, 0, len(path) - 1)), 1)
    return _whole(cv2.resize(path, (2 * half + 1,) * 2, interpolation=cv2.INTER_AREA))


def _whole(kernel: Any) -> Light:
    """The kernel with a sum of one."""
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _seen_by_sensor(light: Light, view: View, rng: np.random.Generator) -> Picture:
    """Electrons behind a Bayer mosaic, counted with noise, amplified, made colour again and eight bits."""
    electrons = light * (view.electrons / PAPER)
    # Above some thousand the root of the count is exact enough, and ten times as fast as counting.
    noise = rng.standard_normal(light.shape, np.float32)
    counted = rng.poisson(electrons) if view.electrons < 200 else electrons + noise * np.sqrt(electrons)
    signal = counted + READ_NOISE * rng.standard_normal(light.shape, np.float32)
    raw = np.clip(signal * (WHITE_LEVEL * 4095 / view.electrons), 0, 4095).astype(np.uint16)
    colour = cv2.cvtColor(raw, cv2.COLOR_BayerBG2BGR)
    return np.asarray(_GAMMA[colour], dtype=np.uint8)


def _gamma() -> NDArray[Any]:
    """Twelve bits of light to eight of picture: the curve of sRGB (IEC 61966-2-1)."""
    share = np.arange(4096) / 4095
    curve = np.where(share <= 0.0031308, 12.92 * share, 1.055 * share ** (1 / 2.4) - 0.055)
    return np.round(255 * curve).astype(np.uint8)


_GAMMA = _gamma()
