from __future__ import annotations

import tomllib
from pathlib import Path

import config.settings
from config.keys import settings_by_path
from config.load import load
from config.settings import Settings

EXAMPLE = Path(config.settings.__file__).with_name("example.toml")


def test_the_example_is_the_defaults(tmp_path: Path) -> None:
    assert load({"KMC_HOME": str(tmp_path)}, EXAMPLE).settings == Settings()


def test_every_setting_is_in_the_example(tmp_path: Path) -> None:
    origins = load({"KMC_HOME": str(tmp_path)}, EXAMPLE).origins
    assert {key for key, origin in origins.items() if origin != "file"} == set()


def test_the_example_holds_nothing_else() -> None:
    def leaves(data: dict[str, object], above: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
        found: set[tuple[str, ...]] = set()
        for name, value in data.items():
            found |= leaves(value, (*above, name)) if isinstance(value, dict) else {(*above, name)}
        return found

    assert leaves(tomllib.loads(EXAMPLE.read_text("utf-8"))) == set(settings_by_path())


def test_every_setting_is_described() -> None:
    assert [setting.key for setting in settings_by_path().values() if not setting.description] == []
