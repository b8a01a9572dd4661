from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.load import load
from config.mistakes import SettingsFault
from config.save import COMMAND, set_key, unset_key


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kiosk.toml"


def test_comments_and_order_are_kept(file: Path) -> None:
    file.write_text(
        "# ours\n[screen]  # of the hall\nsession_s = 50 # slow readers\n\n[log]\nlevel = 'info'\n"
    )
    set_key(file, "screen.session_s", "60")
    assert file.read_text() == (
        "# ours\n[screen]  # of the hall\nsession_s = 60 # slow readers\n\n[log]\nlevel = 'info'\n"
    )


@pytest.mark.parametrize(
    "before",
    [
        "",
        "[log]\nlevel = 'info'\n",
        "log = {level = 'info'}\n",
        "log.level = 'info'\n",
        "readers.qr.source = '1'\n",
        "[readers.nfc]\nenabled = false\n[readers.qr]\nenabled = true\n",
        "[readers]\nvirtual = 'off'\nnfc = {enabled = true}\n[log]\nlevel='info'\n",
    ],
)
@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("zone", "Asia/Jayapura", "Asia/Jayapura"),
        ("readers.nfc.device", "usb:072f:2200", "usb:072f:2200"),
        ("central.timeout_s", "7.5", 7.5),
        ("screen.fullscreen", "false", False),
    ],
)
def test_any_key_into_any_style_and_out_again(
    file: Path, before: str, key: str, text: str, value: object
) -> None:
    file.write_text(before)
    environ = {"KMC_HOME": str(file.parent)}
    old = load(environ).settings
    set_key(file, key, text)
    result: object = load(environ).settings
    for part in key.split("."):
        result = getattr(result, part)
    assert result == value
    assert load(environ).origins[key] == "file"
    unset_key(file, key)
    assert load(environ).settings == old


def test_a_new_file_is_the_owner_s_alone_and_an_old_one_keeps_its_mode(file: Path) -> None:
    set_key(file, "central.proxy_password", "hunter2")
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    set_key(file, "log.level", "debug")
    assert file.stat().st_mode & 0o777 == 0o640
    assert (
        load({"KMC_HOME": str(file.parent)}).settings.central.proxy_password.get_secret_value() == "hunter2"
    )


@pytest.mark.parametrize(
    ("key", "text", "nearest"),
    [
        ("screen.sesion_s", "40", "screen.session_s"),
        ("screen", "40", ""),
        ("screen.session_s", "never", ""),
        ("", "1", ""),
    ],
)
def test_wrong_key_or_value_leaves_the_file_alone(file: Path, key: str, text: str, nearest: str) -> None:
    file.write_text("[log]\nlevel = 'info'\n")
    with pytest.raises(SettingsFault) as caught:
        set_key(file, key, text)
    assert (caught.value.mistakes[0].where, caught.value.mistakes[0].nearest) == (COMMAND, nearest)
    assert file.read_text() == "[log]\nlevel = 'info'\n"


def test_a_value_that_does_not_go_with_another_is_refused(file: Path) -> None:
    file.write_text("[screen]\nsession_s = 30\n")
    with pytest.raises(SettingsFault):
        set_key(file, "screen.warning_s", "30")
    assert file.read_text() == "[screen]\nsession_s = 30\n"


def test_a_broken_file_is_not_overwritten(file: Path) -> None:
    file.write_text("[log\n")
    with pytest.raises(SettingsFault) as caught:
        set_key(file, "log.level", "debug")
    assert caught.value.mistakes[0].line == 1
    assert file.read_text() == "[log\n"


def test_a_failing_disk_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[log]\nlevel = 'info'\n")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        set_key(file, "log.level", "debug")
    assert file.read_text() == "[log]\nlevel = 'info'\n"
    assert [path.name for path in file.parent.iterdir()] == ["kiosk.toml"], "no temporary file is left behind"


def test_unset_of_what_is_not_set_changes_nothing(file: Path) -> None:
    file.write_text("# empty\n")
    unset_key(file, "readers.nfc.device")
    assert file.read_text() == "# empty\n"


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.write_text("[log]\nlevel = 'info'\n")
    file.symlink_to(real)
    set_key(file, "log.level", "debug")
    assert file.is_symlink()
    assert "debug" in real.read_text()
