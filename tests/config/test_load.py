from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from config.keys import settings_by_path
from config.load import ENVIRONMENT, Loaded, home_folder, load
from config.mistakes import Mistake, SettingsFault
from config.settings import Settings


def loaded(home: Path, text: str | None = None, **environ: str) -> Loaded:
    if text is not None:
        (home / "kiosk.toml").write_text(text, "utf-8")
    return load({"KMC_HOME": str(home), **environ})


def mistakes(home: Path, text: str | None = None, **environ: str) -> list[Mistake]:
    with pytest.raises(SettingsFault) as caught:
        loaded(home, text, **environ)
    assert caught.value.mistakes
    return list(caught.value.mistakes)


def test_nothing_set_gives_the_defaults(tmp_path: Path) -> None:
    result = loaded(tmp_path)
    assert result.settings == Settings()
    assert result.home == tmp_path
    assert result.file == tmp_path / "kiosk.toml"
    assert set(result.origins.values()) == {"default"}
    assert set(result.origins) == {setting.key for setting in settings_by_path().values()}


def test_the_product_s_numbers() -> None:
    settings = Settings()
    assert settings.branding.card_name == "Kartu Metro Cerita"
    assert settings.branding.city == "Metro"
    assert settings.zone == "Asia/Jakarta"
    assert (settings.screen.session_s, settings.screen.warning_s) == (40, 20)
    assert (settings.limits.void_minutes, settings.limits.officer_cache_days) == (10, 30)


def test_environment_wins_over_file_wins_over_default(tmp_path: Path) -> None:
    text = '[screen]\nsession_s = 50\nreader_side = "left"\n'
    result = loaded(tmp_path, text, KMC_SCREEN__SESSION_S="60", KMC_READERS__NFC__ENABLED="false")
    assert result.settings.screen.session_s == 60
    assert result.settings.screen.reader_side == "left"
    assert result.settings.readers.nfc.enabled is False
    assert result.origins["screen.session_s"] == "environment"
    assert result.origins["screen.reader_side"] == "file"
    assert result.origins["screen.warning_s"] == "default"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().screen.session_s = 3  # type: ignore[misc]


def test_every_mistake_at_once_with_line_and_nearest_key(tmp_path: Path) -> None:
    text = (
        'zone = "Asia/Jakata"\n'
        "[screen]\n"
        'sesion_s = 40\nreader_side = "jv"\n'
        "[central]\n"
        "# a comment\n"
        'timeout_s = "soon"\n'
        "[[readers.nfcc]]\nenabled = 1\n"
    )
    found = mistakes(
        tmp_path,
        text,
        KMC_CENTRAL__TIMEOUT="3",
        KMC_LIMITS__VOID_MINUTES="ten",
        KMC_LOG_LEVEL="debug",
        KMC_LOG="x",
    )
    file = str(tmp_path / "kiosk.toml")
    assert {(m.where, m.key, m.line, m.nearest) for m in found} == {
        (file, "zone", 1, ""),
        (file, "screen.sesion_s", 3, "screen.session_s"),
        (file, "screen.reader_side", 4, ""),
        (file, "central.timeout_s", 7, ""),
        (file, "readers.nfcc", 8, "readers.nfc"),
        (ENVIRONMENT, "KMC_CENTRAL__TIMEOUT", None, "KMC_CENTRAL__TIMEOUT_S"),
        (ENVIRONMENT, "KMC_LIMITS__VOID_MINUTES", None, ""),
        (ENVIRONMENT, "KMC_LOG_LEVEL", None, "KMC_LOG__LEVEL"),
    }
    words = {m.key: str(m) for m in found}
    assert "'left' or 'right', is 'jv'" in words["screen.reader_side"]
    assert (
        f"{file}:3: screen.sesion_s: there is no such setting; did you mean screen.session_s?"
        == words["screen.sesion_s"]
    )
    assert "a whole number from 0 to 60, is 'ten'" in words["KMC_LIMITS__VOID_MINUTES"]


def test_key_in_the_wrong_section_finds_its_right_one(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, "[readers]\nsession_s = 30\n")
    assert found.nearest == "screen.session_s"


def test_value_where_a_section_belongs(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, "log = 'debug'\n", KMC_LOG__LEVEL="info")
    assert found.key == "log"
    assert found.problem == "must be a section: [log]"
    assert found.line == 1


def test_section_where_a_value_belongs(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, "[zone]\nname = 'Asia/Jakarta'\n")
    assert (found.key, found.line) == ("zone", 1)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("zone = \n", 1, 8),
        ("[log]\nlevel = 'info'\nlevel = 'info'\n", 3, 15),
        ("a = 1\nzone = 'Asia", 2, 13),
        ("[log\n", 1, 5),
    ],
)
def test_wrong_toml_gives_line_and_column(tmp_path: Path, text: str, line: int, column: int) -> None:
    found = mistakes(tmp_path, text, KMC_LOG__LEVEL="loud")
    assert [m.key for m in found] == ["", "KMC_LOG__LEVEL"], (
        "mistakes of the environment are reported all the same"
    )
    assert (found[0].line, found[0].column) == (line, column)
    assert found[0].problem.startswith("this is not TOML: ")


@pytest.mark.parametrize(
    "raw",
    [b"\xff\xfe", b"a = " + b"[" * 100_000, b"a = " + b"9" * 5000, b"a = 1\r", b"#" * 300_000],
    ids=["not UTF-8", "deep", "long number", "bare return", "large"],
)
def test_hostile_files_are_mistakes(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "kiosk.toml").write_bytes(raw)
    assert mistakes(tmp_path)


def test_explicit_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsFault) as caught:
        load({"KMC_HOME": str(tmp_path)}, tmp_path / "other.toml")
    assert caught.value.mistakes[0].problem == "there is no such file"


def test_explicit_file_is_read_instead(tmp_path: Path) -> None:
    (tmp_path / "kiosk.toml").write_text("[log]\nlevel = 'error'\n")
    other = tmp_path / "other.toml"
    other.write_text("[log]\nlevel = 'debug'\n")
    assert load({"KMC_HOME": str(tmp_path)}, other).settings.log.level == "debug"


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "kiosk.toml").mkdir()
    assert "cannot be read" in mistakes(tmp_path)[0].problem


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[central]\nurl = 'http://central.example'\n", "central.url"),
        ("[central]\nurl = 'ftp://central.example'\n", "central.url"),
        ("[central]\nurl = 'https://me:secret@central.example'\n", "central.url"),
        ("[central]\nurl = 'https://[::1'\n", "central.url"),
        ("[central]\nurl = 'https://central.example:99999'\n", "central.url"),
        ("[central]\nproxy = 'http://me:secret@10.0.0.1:3128'\n", "central.proxy"),
        ("[central]\nproxy_password = 41\n", "central.proxy_password"),
        ("[central]\ntimeout_s = nan\n", "central.timeout_s"),
        ("[screen]\npixels_per_mm = 'large'\n", "screen.pixels_per_mm"),
        ("[screen]\npixels_per_mm = inf\n", "screen.pixels_per_mm"),
        ("[screen]\nsession_s = true\n", "screen.session_s"),
        ("[screen]\nfullscreen = 'yes'\n", "screen.fullscreen"),
        ('[branding]\ncity = "Me\\ntro"\n', "branding.city"),
        ("[branding]\ncity = ''\n", "branding.city"),
        ("zone = '../etc/passwd'\n", "zone"),
        ("zone = ''\n", "zone"),
        ("[limits]\nofficer_cache_days = 31\n", "limits.officer_cache_days"),
    ],
)
def test_wrong_values(tmp_path: Path, text: str, key: str) -> None:
    (found,) = mistakes(tmp_path, text)
    assert found.key == key
    assert found.line == (1 if key == "zone" else 2)
    assert "secret" not in str(found)
    assert "41" not in found.problem


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("[central]\nurl = 'http://127.0.0.1:8080/'\n", ("central", "url"), "http://127.0.0.1:8080"),
        ("[central]\nurl = 'http://[::1]:8080'\n", ("central", "url"), "http://[::1]:8080"),
        ("[central]\ntimeout_s = 5\n", ("central", "timeout_s"), 5.0),
        ("[readers.qr]\nsource = 2\n", ("readers", "qr", "source"), "2"),
        ("[screen]\npixels_per_mm = 4\n", ("screen", "pixels_per_mm"), 4.0),
        ("readers.nfc.device = 'usb:072f:2200'\n", ("readers", "nfc", "device"), "usb:072f:2200"),
    ],
)
def test_right_values(tmp_path: Path, text: str, path: tuple[str, ...], value: object) -> None:
    result: object = loaded(tmp_path, text).settings
    for part in path:
        result = getattr(result, part)
    assert result == value


def test_warning_longer_than_the_session_blames_what_was_set(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, "[screen]\nsession_s = 15\n")
    assert (found.key, found.line) == ("screen.session_s", 2)
    assert "warning_s" in found.problem
    (found,) = mistakes(tmp_path, "[screen]\nwarning_s = 50\n")
    assert (found.key, found.line) == ("screen.warning_s", 2)
    (found,) = mistakes(tmp_path, "", KMC_SCREEN__SESSION_S="12")
    assert (found.where, found.key) == (ENVIRONMENT, "KMC_SCREEN__SESSION_S")


def test_a_wrong_value_from_the_environment_names_the_variable(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, "zone = 'Asia/Makassar'\n", KMC_ZONE="Mars/Base")
    assert (found.where, found.key) == (ENVIRONMENT, "KMC_ZONE")


def test_a_secret_from_the_environment(tmp_path: Path) -> None:
    result = loaded(tmp_path, KMC_CENTRAL__PROXY_PASSWORD="hunter2")
    assert result.settings.central.proxy_password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(result)


def test_variables_that_are_no_settings_are_left_alone(tmp_path: Path) -> None:
    loaded(tmp_path, KMC_OFFICER_PIN="123456", KMC_TEST_POSTGRES="x", KMC_CENTRAL_DATABASE="y", PATH="/bin")


def test_a_section_set_as_a_whole_by_the_environment(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, "", KMC_READERS__NFC="usb")
    assert "section" in found.problem


def test_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert home_folder({}) == tmp_path / "kmc-kiosk"
    assert home_folder({"KMC_HOME": ""}) == tmp_path / "kmc-kiosk"
    assert home_folder({"KMC_HOME": "~/kiosk"}) == tmp_path / "me" / "kiosk"


def test_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "kiosk.toml").write_text("zone = 'Asia/Jayapura'\n", "utf-8-sig")
    assert loaded(tmp_path).settings.zone == "Asia/Jayapura"


def test_mistakes_as_json(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, "[log]\nlevle = 'info'\n")
    assert found.as_json() == {
        "where": str(tmp_path / "kiosk.toml"),
        "key": "log.levle",
        "problem": "there is no such setting",
        "nearest": "log.level",
        "line": 2,
        "column": None,
    }
