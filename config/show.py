"""Settings as people and programs may see them: secrets masked, origins named."""

from __future__ import annotations

from typing import Any

import tomlkit
from pydantic import SecretStr

from config.keys import MASK, settings_by_path, without_password
from config.load import Loaded


def as_json(loaded: Loaded) -> dict[str, Any]:
    """Home, file and every setting by dotted key: ``{"value": …, "from": "default|file|environment"}``."""
    return {
        "home": str(loaded.home),
        "file": str(loaded.file),
        "settings": {
            setting.key: {"value": shown_value(loaded, setting.path), "from": loaded.origins[setting.key]}
            for setting in settings_by_path().values()
        },
    }


def as_toml(loaded: Loaded) -> str:
    """The settings as TOML, each line with its origin in a comment."""
    document = tomlkit.document()
    document.add(tomlkit.comment(f"home: {loaded.home}"))
    document.add(tomlkit.comment(f"file: {loaded.file}"))
    for setting in settings_by_path().values():
        inner: Any = document
        for part in setting.path[:-1]:
            if part not in inner:
                inner.add(part, tomlkit.table())
            inner = inner[part]
        value = tomlkit.item(shown_value(loaded, setting.path))
        value.comment(loaded.origins[setting.key])
        inner.add(setting.path[-1], value)
    return tomlkit.dumps(document)


def shown_value(loaded: Loaded, path: tuple[str, ...]) -> Any:
    """The value at ``path`` as a plain value; a secret that is set as ``MASK``, else as empty text."""
    value: Any = loaded.settings
    for part in path:
        value = getattr(value, part)
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    return without_password(value) if isinstance(value, str) else value
