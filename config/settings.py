"""What a technician sets at a service point: typed, frozen, with a default for everything."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError


def _index_as_text(value: Any) -> Any:
    # `source = 0` is how people write a camera's number in TOML.
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value)
    return value


def _list_as_text(value: Any) -> Any:
    # Several devices are a list in TOML, or one text with commas.
    if isinstance(value, list) and all(isinstance(part, str) and "," not in part for part in value):
        return ", ".join(value)
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise PydanticCustomError("not_one_line", "must be one line of printable characters")
    return value


def _url(value: str, schemes: tuple[str, ...]) -> SplitResult:
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise PydanticCustomError("not_a_url", "is not a web address") from error
    if parts.scheme not in schemes or not host or any(c.isspace() for c in value):
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        raise PydanticCustomError(
            "not_a_url", "must be a web address that starts with {wanted}", {"wanted": wanted}
        )
    if parts.username is not None or parts.password is not None:
        raise PydanticCustomError(
            "url_with_password",
            "must not carry a user name or password; a proxy has its own settings for them",
        )
    return parts


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


Devices = Annotated[str, BeforeValidator(_list_as_text), Field(max_length=1024)]
Source = Annotated[str, BeforeValidator(_index_as_text), Field(max_length=1024)]
Name = Annotated[str, Field(min_length=1, max_length=60)]


class Section(BaseModel):
    """What all sections share: frozen, unknown keys refused, types taken as written."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_default=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


class Branding(Section):
    """The names that are shown to people."""

    card_name: Name = Field("Kartu Metro Cerita", description="The card's printed name.")
    city: Name = Field("Metro", description="The city's name.")

    @field_validator("card_name", "city")
    @classmethod
    def _names_are_one_line(cls, value: str) -> str:
        return _one_line(value)


class Central(Section):
    """How central is reached."""

    url: Annotated[str, Field(max_length=1024)] = Field(
        "", description="Central's address, https://…; empty until the kiosk is enrolled."
    )
    timeout_s: Annotated[float, Field(ge=1, le=120)] = Field(
        10.0, description="Seconds after which an unanswered request has failed."
    )
    poll_wait_s: Annotated[float, Field(ge=0, le=120)] = Field(
        55.0,
        description="Seconds that central may hold a poll open while there is no news; 0 = answer at once.",
    )
    ca_file: Annotated[str, Field(max_length=1024)] = Field(
        "", description="File of certificate authorities (PEM) to trust for central; empty = the system's."
    )
    proxy: Annotated[str, Field(max_length=1024)] = Field(
        "", description="Web proxy of the service point, http://host:port; empty = none."
    )
    proxy_user: Annotated[str, Field(max_length=200)] = Field("", description="User name at the proxy.")
    proxy_password: SecretStr = Field(SecretStr(""), description="Password at the proxy; never shown.")

    @field_validator("url")
    @classmethod
    def _url_is_safe(cls, value: str) -> str:
        if not value:
            return value
        parts = _url(value, ("https", "http"))
        # Plain HTTP would hand the feed of holders to anybody on the line; on one machine there is no line.
        if parts.scheme == "http" and not _loopback(parts.hostname or ""):
            raise PydanticCustomError(
                "url_not_safe", "must start with https:// (http:// only to this machine itself)"
            )
        if parts.query or parts.fragment:
            raise PydanticCustomError("not_a_url", "must not have a ? or # part")
        return value.rstrip("/")

    @field_validator("proxy")
    @classmethod
    def _proxy_is_a_url(cls, value: str) -> str:
        if value:
            _url(value, ("http", "https"))
        return value


class NfcReader(Section):
    """The card reader."""

    enabled: bool = Field(True, description="Read cards by NFC.")
    device: Devices = Field(
        "",
        description="Device path, such as usb:072f:2200 or tty:USB0:pn532, or several of them separated by "
        "commas; empty = find it.",
    )

    @property
    def devices(self) -> tuple[str, ...]:
        """Each device path by itself; one empty path if it is to be found."""
        return tuple(part.strip() for part in self.device.split(",") if part.strip()) or ("",)


class QrReader(Section):
    """The camera that reads QR codes."""

    enabled: bool = Field(True, description="Read QR codes by camera.")
    source: Source = Field(
        "",
        description="Camera number, device path, udev's name, or MJPEG or RTSP address; empty = the first "
        "camera found.",
    )
    exposure_ms: Annotated[float, Field(ge=0, le=100)] = Field(
        0.0, description="Milliseconds of exposure where the camera can be set; 0 = it decides."
    )
    focus: Annotated[int, Field(ge=-1, le=10_000)] = Field(
        -1, description="Position of the lens in the camera's own units; -1 = it focuses by itself."
    )


class Scanner(Section):
    """A hand-held scanner."""

    device: Annotated[str, Field(max_length=1024, pattern=r"^(keyboard:|(serial|evdev):.+)?$")] = Field(
        "",
        description="keyboard: for one that types, serial:/dev/ttyACM0, or evdev:/dev/input/by-id/… for one "
        "that types and is taken for us alone; empty = none.",
    )
    prefix: Annotated[str, Field(max_length=20)] = Field(
        "", description="What the scanner was set to send before each code; empty = nothing."
    )
    suffix: Annotated[str, Field(min_length=1, max_length=20)] = Field(
        "\r", description="What it sends after each code."
    )
    baud: Annotated[int, Field(ge=300, le=4_000_000)] = Field(9600, description="Speed of its serial line.")
    gap_ms: Annotated[int, Field(ge=10, le=200)] = Field(
        50, description="Milliseconds between two keys below which it is the scanner that types."
    )


class Readers(Section):
    """What cards and codes are read with."""

    nfc: NfcReader = NfcReader()
    qr: QrReader = QrReader()
    scanner: Scanner = Scanner()
    virtual: Literal["auto", "off"] = Field(
        "auto",
        description="auto = a demonstration kiosk uses virtual readers where a real one is missing; off = "
        "never. No production kiosk does.",
    )


class Screen(Section):
    """The screen people touch."""

    pixels_per_mm: Literal["auto"] | Annotated[float, Field(ge=1, le=40)] = Field(
        "auto",
        description="Scale of the screen; auto = as the screen reports it, which is often wrong: measure.",
    )
    fullscreen: bool = Field(True, description="Cover the whole screen.")
    session_s: Annotated[int, Field(ge=10, le=600)] = Field(
        40, description="Seconds without touch after which a citizen's session ends."
    )
    warning_s: Annotated[int, Field(ge=5, le=300)] = Field(
        20, description="Seconds of warning before a session ends; less than session_s."
    )
    reader_side: Literal["below", "above", "left", "right"] = Field(
        "below", description="Where the card reader is, seen from the screen: below, above, left or right."
    )
    sound: bool = Field(True, description="A beep for each card: one high for read, two low for not.")

    @field_validator("warning_s")
    @classmethod
    def _warning_fits(cls, value: int, info: ValidationInfo) -> int:
        session_s = info.data.get("session_s")
        if session_s is not None and value >= session_s:
            raise PydanticCustomError(
                "warning_too_long",
                "is {warning_s}, must be less than session_s, which is {session_s}",
                {"warning_s": value, "session_s": session_s, "with_key": "session_s"},
            )
        return value


class Cards(Section):
    """What the readers use to have cards prove themselves."""

    key_file: Annotated[str, Field(max_length=1024)] = Field(
        "",
        description="File of the key by which chips prove themselves (P2); "
        "empty = card-auth-key among the service's credentials, if it is there.",
    )


class Limits(Section):
    """Rules of the counter that the city may tighten."""

    void_minutes: Annotated[int, Field(ge=0, le=60)] = Field(
        10, description="Minutes in which officers void their own pickups without a supervisor; 0 = never."
    )
    officer_cache_days: Annotated[int, Field(ge=1, le=30)] = Field(
        30, description="Days without sync for which officers can still sign in."
    )


class Journal(Section):
    """What stays of the journal at the kiosk once central has it."""

    backup_horizon_days: Annotated[int, Field(ge=7, le=3650)] = Field(
        90,
        description="Days that central may be set back to a backup: younger records stay at the kiosk.",
    )
    private_text_days: Annotated[int, Field(ge=0, le=3650)] = Field(
        30, description="Days after which names and reasons are erased here, once central keeps them."
    )


class Log(Section):
    """What is written to the log."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level written.")


class Settings(Section):
    """All settings of one kiosk."""

    zone: Annotated[str, Field(max_length=64)] = Field(
        "Asia/Jakarta", description="Time zone of the service point (IANA name)."
    )
    branding: Branding = Branding()
    central: Central = Central()
    readers: Readers = Readers()
    screen: Screen = Screen()
    cards: Cards = Cards()
    limits: Limits = Limits()
    journal: Journal = Journal()
    log: Log = Log()

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise PydanticCustomError("unknown_zone", "is not a time zone, such as Asia/Jakarta") from error
        return value
