"""The keys of the settings: path, type in words, environment variable, nearest neighbours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo

from config.settings import Settings

ENVIRONMENT_PREFIX = "KMC_"
ENVIRONMENT_STEP = "__"

MASK = "********"
"""Stands for a secret that is set."""

KeyPath = tuple[str, ...]
"""Where a setting stands, such as ``("readers", "nfc", "device")``."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: where it is, what it may be and what it is when nobody sets it."""

    path: KeyPath
    field: FieldInfo
    default: Any

    @property
    def key(self) -> str:
        """Dotted key such as ``central.url``."""
        return key_of(self.path)

    @property
    def variable(self) -> str:
        """Environment variable that overrides it, such as ``KMC_CENTRAL__URL``."""
        return variable_of(self.path)

    @property
    def secret(self) -> bool:
        """True if its value is never shown."""
        return self.field.annotation is SecretStr

    @property
    def description(self) -> str:
        """One line for the technician."""
        return self.field.description or ""

    def adapter(self) -> TypeAdapter[Any]:
        """Validates a value of this setting alone, without the checks that look at other settings."""
        return _adapter(self.path)

    def expected(self) -> str:
        """What a value must be, in words."""
        return _in_words(self.adapter().json_schema())


def key_of(path: Iterable[object]) -> str:
    """Dotted key; a part that is not a bare TOML key is quoted (TOML 1.0, Keys)."""
    parts = []
    for part in path:
        text = str(part)
        parts.append(text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else '"' + _escaped(text) + '"')
    return ".".join(parts)


def variable_of(path: Iterable[str]) -> str:
    """Environment variable of a path."""
    return ENVIRONMENT_PREFIX + ENVIRONMENT_STEP.join(part.upper() for part in path)


def without_password(text: str) -> str:
    """The text with user name and password of a web address masked (RFC 3986, 3.2.1)."""
    return re.sub(r"://[^/?#]*@", f"://{MASK}@", text)


@cache
def settings_by_path() -> dict[KeyPath, Setting]:
    """All settings by path, in the order of the model."""
    return {setting.path: setting for setting in _walk(Settings, Settings(), ())}


@cache
def sections() -> frozenset[KeyPath]:
    """Paths of all sections, such as ``("readers", "nfc")``."""
    return frozenset(path[:length] for path in settings_by_path() for length in range(1, len(path)))


def nearest_key(path: Iterable[object]) -> KeyPath | None:
    """The setting or section whose path looks most like ``path``, or None if none does."""
    wanted = tuple(str(part).lower().replace("-", "_") for part in path)
    best: tuple[float, KeyPath] | None = None
    for candidate in [*settings_by_path(), *sections()]:
        whole = _likeness(".".join(wanted), ".".join(candidate))
        last = _likeness(wanted[-1], candidate[-1])
        # Same section is worth a little, so that `central.timeout` finds its neighbour before a namesake.
        near = 0.05 if wanted[:-1] == candidate[:-1] else 0.0
        score = max(whole, 0.95 * last) + near
        if max(whole, last) >= 0.7 and (best is None or score > best[0]):
            best = (score, candidate)
    return best[1] if best else None


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one[:200], other, autojunk=False).ratio()


def _walk(model: type[BaseModel], defaults: BaseModel, above: KeyPath) -> Iterable[Setting]:
    for name, field in model.model_fields.items():
        default = getattr(defaults, name)
        if isinstance(default, BaseModel):
            yield from _walk(type(default), default, (*above, name))
        else:
            yield Setting((*above, name), field, default)


@cache
def _adapter(path: KeyPath) -> TypeAdapter[Any]:
    field = settings_by_path()[path].field
    annotation: Any = field.annotation
    for constraint in field.metadata:
        annotation = Annotated[annotation, constraint]
    return TypeAdapter(annotation)


def _escaped(text: str) -> str:
    return "".join(
        c if c.isprintable() and c not in '"\\' else f"\\{c}" if c in '"\\' else f"\\U{ord(c):08x}"
        for c in text
    )


def _in_words(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_in_words(choice) for choice in schema["anyOf"])
    if "const" in schema:
        return f"'{schema['const']}'"
    if "enum" in schema:
        return " or ".join(f"'{choice}'" for choice in schema["enum"])
    if schema.get("type") == "boolean":
        return "true or false"
    if schema.get("type") in ("integer", "number"):
        words = "a whole number" if schema["type"] == "integer" else "a number"
        return f"{words} from {schema['minimum']:g} to {schema['maximum']:g}"
    low, high = schema.get("minLength"), schema.get("maxLength")
    if high is None:
        return "a text"
    return f"a text of {low} to {high} characters" if low else f"a text of at most {high} characters"
