"""Settings from file and environment, with every mistake reported at once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import platformdirs
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.keys import (
    ENVIRONMENT_PREFIX,
    ENVIRONMENT_STEP,
    KeyPath,
    Setting,
    key_of,
    nearest_key,
    sections,
    settings_by_path,
    variable_of,
    without_password,
)
from config.lines import lines_of_keys, syntax_place
from config.mistakes import Mistake, SettingsFault
from config.settings import Settings

HOME_VARIABLE = "KMC_HOME"
FILE_NAME = "kiosk.toml"
ENVIRONMENT: Final = "environment"
MAX_FILE_BYTES = 256 * 1024

NOT_SETTINGS = frozenset({HOME_VARIABLE, "KMC_OFFICER_PIN"})
"""Variables of ours that are no settings."""

Origin = Literal["default", "file", "environment"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings with where they came from."""

    settings: Settings
    home: Path
    """The data folder."""
    file: Path
    """The settings file; it need not exist."""
    origins: Mapping[str, Origin]
    """Origin of every setting, by dotted key."""


def home_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The data folder: ``KMC_HOME``, else the user's data folder (XDG Base Directory). Not created here."""
    given = (os.environ if environ is None else environ).get(HOME_VARIABLE, "")
    if given:
        return Path(given).expanduser().absolute()
    return platformdirs.user_data_path("kmc-kiosk", appauthor=False)


def load(environ: Mapping[str, str] | None = None, file: Path | None = None) -> Loaded:
    """Reads ``$KMC_HOME/kiosk.toml`` (or ``file``, which must then exist), ``KMC_<SECTION>__<KEY>`` over it.

    Raises SettingsFault with all mistakes of both.
    """
    environ = os.environ if environ is None else environ
    home = home_folder(environ)
    path = file or home / FILE_NAME
    mistakes: list[Mistake] = []
    text = _read(path, file is not None, mistakes)
    written = parse(text, str(path), mistakes)
    overrides = _overrides(environ, mistakes)
    loaded = assemble(written, overrides, home, path, text, mistakes)
    if loaded is None:
        raise SettingsFault(mistakes)
    return loaded


def _read(path: Path, must_exist: bool, mistakes: list[Mistake]) -> str:
    try:
        with path.open("rb") as opened:
            raw = opened.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            mistakes.append(Mistake(str(path), "", f"the file is larger than {MAX_FILE_BYTES // 1024} KiB"))
            return ""
        return raw.decode("utf-8-sig")
    except FileNotFoundError:
        if must_exist:
            mistakes.append(Mistake(str(path), "", "there is no such file"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        mistakes.append(Mistake(str(path), "", "the file is not UTF-8 text", line=line))
    except OSError as error:
        mistakes.append(Mistake(str(path), "", f"the file cannot be read: {error.strerror}"))
    return ""


def parse(text: str, where: str, mistakes: list[Mistake]) -> dict[str, Any]:
    """The TOML text as a dict; wrong syntax is added to ``mistakes`` with line and column, and gives {}."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        mistakes.append(Mistake(where, "", "the file is nested too deeply"))
    except ValueError as error:
        problem, line, column = syntax_place(str(error), text)
        mistakes.append(Mistake(where, "", f"this is not TOML: {problem}", line=line, column=column))
    return {}


def _overrides(environ: Mapping[str, str], mistakes: list[Mistake]) -> dict[KeyPath, Any]:
    by_variable = {setting.variable: setting for setting in settings_by_path().values()}
    found: dict[KeyPath, Any] = {}
    for name in sorted(environ):
        if not name.startswith(ENVIRONMENT_PREFIX) or name in NOT_SETTINGS:
            continue
        setting = by_variable.get(name)
        if setting is None:
            mistake = _unknown_variable(name)
            if mistake:
                mistakes.append(mistake)
            continue
        try:
            found[setting.path] = setting.adapter().validate_strings(environ[name])
        except ValidationError:
            mistakes.append(Mistake(ENVIRONMENT, name, _wrong_value(setting, environ[name])))
    return found


def _unknown_variable(name: str) -> Mistake | None:
    rest = name[len(ENVIRONMENT_PREFIX) :].lower()
    step = ENVIRONMENT_STEP
    path = tuple(part for part in rest.split(step) if part) if step in rest else ()
    if not path:
        # Other parts of the product have variables too: one underscore must hit a setting to be a mistake.
        squeezed = {variable_of(p).replace(step, "_"): variable_of(p) for p in settings_by_path()}
        meant = squeezed.get(name.upper(), "")
        return Mistake(ENVIRONMENT, name, "there is no such setting", meant) if meant else None
    if path in sections():
        return Mistake(ENVIRONMENT, name, "is a section: set its keys one by one")
    nearest = nearest_key(path)
    meant = variable_of(nearest) if nearest and nearest not in sections() else ""
    return Mistake(ENVIRONMENT, name, "there is no such setting", meant)


def assemble(
    written: dict[str, Any],
    overrides: Mapping[KeyPath, Any],
    home: Path,
    path: Path,
    text: str,
    mistakes: list[Mistake],
) -> Loaded | None:
    """Validates ``overrides`` over ``written``; adds to ``mistakes`` and answers None if there are any."""
    merged = _merged(written, overrides)
    lines: dict[KeyPath, int] | None = None
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        lines = lines_of_keys(text)
        reported: set[tuple[str, str]] = set()
        for detail in error.errors(include_url=False, include_context=True):
            mistake = _mistake(detail, written, overrides, str(path), lines)
            if (mistake.where, mistake.key) not in reported:
                reported.add((mistake.where, mistake.key))
                mistakes.append(mistake)
    if mistakes or settings is None:
        return None
    origins: dict[str, Origin] = {}
    for setting in settings_by_path().values():
        in_file = _lookup(written, setting.path) is not _ABSENT
        origins[setting.key] = ENVIRONMENT if setting.path in overrides else "file" if in_file else "default"
    return Loaded(settings, home, path, MappingProxyType(origins))


_ABSENT = object()


def _lookup(data: Any, path: KeyPath) -> Any:
    for part in path:
        if not isinstance(data, dict) or part not in data:
            return _ABSENT
        data = data[part]
    return data


def _merged(written: dict[str, Any], overrides: Mapping[KeyPath, Any]) -> dict[str, Any]:
    merged = _copy(written)
    for path, value in overrides.items():
        inner = merged
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                break  # The file has a value where a section belongs, which validation reports.
        else:
            inner[path[-1]] = value
    return merged


def _copy(data: dict[str, Any]) -> dict[str, Any]:
    return {name: _copy(value) if isinstance(value, dict) else value for name, value in data.items()}


def _mistake(
    detail: ErrorDetails,
    written: dict[str, Any],
    overrides: Mapping[KeyPath, Any],
    where: str,
    lines: Mapping[KeyPath, int],
) -> Mistake:
    path = tuple(str(part) for part in detail["loc"])
    while (
        path
        and path not in settings_by_path()
        and path not in sections()
        and detail["type"] != "extra_forbidden"
    ):
        path = path[:-1]  # pydantic adds the branch of a union to the place.
    if detail["type"] == "extra_forbidden":
        nearest = nearest_key(path)
        return Mistake(
            where, key_of(path), "there is no such setting", key_of(nearest or ()), _line(path, lines)
        )
    if path in sections():
        return Mistake(where, key_of(path), f"must be a section: [{key_of(path)}]", line=_line(path, lines))
    setting = settings_by_path()[path]
    context = detail.get("ctx", {})
    if path not in overrides and _lookup(written, path) is _ABSENT and "with_key" in context:
        blamed = settings_by_path()[(*path[:-1], context["with_key"])]
        problem = f"does not go with {setting.key}: that {detail['msg']}"
    else:
        blamed, problem = setting, _problem(setting, detail)
    if blamed.path in overrides:
        return Mistake(ENVIRONMENT, blamed.variable, problem)
    return Mistake(where, blamed.key, problem, line=_line(blamed.path, lines))


def _line(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _problem(setting: Setting, detail: ErrorDetails) -> str:
    # Our own checks (they have types pydantic does not know) say more than the type of the setting does.
    if detail["type"] in OWN_CHECKS:
        return detail["msg"]
    return _wrong_value(setting, detail.get("input"))


OWN_CHECKS = frozenset(
    {"not_one_line", "not_a_url", "url_with_password", "url_not_safe", "warning_too_long", "unknown_zone"}
)


def _wrong_value(setting: Setting, value: object) -> str:
    words = f"must be {setting.expected()}"
    if setting.secret:
        return words
    shown = repr(without_password(value) if isinstance(value, str) else value)
    return f"{words}, is {shown if len(shown) <= 60 else shown[:57] + '...'}"
