"""One setting written to the file: comments kept, nothing half written."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import SecretStr, ValidationError

from config.keys import KeyPath, Setting, key_of, nearest_key, sections, settings_by_path
from config.load import assemble, home_folder, parse
from config.mistakes import Mistake, SettingsFault

COMMAND = "command"


def set_key(file: Path, key: str, text: str) -> None:
    """Writes ``key = text`` (as typed by a person) to the settings file, created if there is none.

    Raises SettingsFault, and leaves the file alone, if the key is unknown, the value is wrong or the file
    would not load afterwards. Raises OSError if the disk refuses.
    """
    setting = _setting(key)
    try:
        value = setting.adapter().validate_strings(text)
    except ValidationError as error:
        problem = f"must be {setting.expected()}"
        raise SettingsFault([Mistake(COMMAND, key, problem)]) from error
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    _change(file, setting.path, value)


def unset_key(file: Path, key: str) -> None:
    """Takes ``key`` out of the settings file, so that its default holds again. Raises as ``set_key``."""
    _change(file, _setting(key).path, None)


def _setting(key: str) -> Setting:
    path = tuple(key.split("."))
    setting = settings_by_path().get(path)
    if setting is None:
        problem = (
            "is a section: set its keys one by one" if path in sections() else "there is no such setting"
        )
        nearest = nearest_key(path) if path not in sections() else None
        raise SettingsFault([Mistake(COMMAND, key, problem, key_of(nearest or ()))])
    return setting


def _change(file: Path, path: KeyPath, value: Any) -> None:
    before = file.read_text("utf-8-sig") if file.exists() else ""
    mistakes: list[Mistake] = []
    parse(before, str(file), mistakes)
    if mistakes:
        raise SettingsFault(mistakes)
    document = tomlkit.parse(before)
    if value is None:
        _remove(document, path)
    else:
        _put(document, path, value)
    after = tomlkit.dumps(document)
    written = parse(after, str(file), mistakes)
    if assemble(written, {}, home_folder(), file, after, mistakes) is None:
        raise SettingsFault(mistakes)
    expected = tomllib.loads(before)
    if value is None:
        _remove(expected, path)
    else:
        _put(expected, path, value)
    if written != expected:
        # A style of TOML that cannot be edited in place must not cost the technician another setting.
        raise SettingsFault(
            [Mistake(str(file), key_of(path), "cannot be changed in place: edit the file by hand")]
        )
    write_atomically(file, after)


def _put(data: Any, path: KeyPath, value: Any) -> None:
    for part in path[:-1]:
        if part not in data:
            data[part] = (
                tomlkit.table() if isinstance(data, tomlkit.TOMLDocument | tomlkit.items.Table) else {}
            )
        data = data[part]
        if not isinstance(data, MutableMapping):
            return  # The file has a value where a section belongs; loading the result reports it.
    data[path[-1]] = value


def _remove(data: MutableMapping[str, Any], path: KeyPath) -> None:
    for part in path[:-1]:
        inner = data.get(part)
        if not isinstance(inner, MutableMapping):
            return
        data = inner
    data.pop(path[-1], None)


def write_atomically(file: Path, text: str) -> None:
    """Replaces ``file`` by ``text`` so that a power cut leaves the old or the new one, never a part of it.

    A new file is readable by its owner only, since it may hold a password; an old one keeps its mode.
    """
    target = file.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
            opened.flush()
            os.fchmod(opened.fileno(), mode)
            os.fsync(opened.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
