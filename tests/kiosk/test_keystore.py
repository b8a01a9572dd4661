"""The device's keys: made once, read by nobody else, never remade over what only they open."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk import cose, keystore
from kiosk.errors import EnvironmentFault
from kiosk.keystore import DeviceKeys, KeySource

KEYS = DeviceKeys(b"d" * 32, b"k" * 32, b"p" * 32, b"n" * 32)


def fault(what: Callable[[], object]) -> str:
    with pytest.raises(EnvironmentFault) as raised:
        what()
    assert not any(letter * 8 in f"{raised.value}{raised.value.as_json()}" for letter in "dkpn")
    return raised.value.code


def put(path: Path, data: bytes, mode: int = 0o400) -> Path:
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_keys_are_made_once_and_loaded(tmp_path: Path) -> None:
    made = keystore.create(tmp_path)

    loaded = keystore.load(tmp_path, {})
    assert loaded == made
    assert loaded.source is KeySource.FILE
    assert loaded.disk_theft_exposes
    path = tmp_path / keystore.FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert [one.name for one in tmp_path.iterdir()] == [keystore.FILE_NAME]


def test_keys_are_made_with_mode_0400_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keystore.create(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / keystore.FILE_NAME).stat().st_mode) == 0o400


def test_no_two_keys_are_the_same() -> None:
    made = [keystore.generate() for _ in range(20)]
    values = {
        value
        for keys in made
        for value in (keys.database_key, keys.device_key, keys.officer_pepper, keys.nik_key)
    }
    assert len(values) == 80
    assert {len(value) for value in values} == {32}


def test_keys_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    made = keystore.create(tmp_path)
    assert fault(lambda: keystore.create(tmp_path)) == "keys_exist"
    assert keystore.load(tmp_path, {}) == made


def test_keys_lost_while_there_is_a_ledger_are_not_made_again(tmp_path: Path) -> None:
    keystore.create(tmp_path)
    (tmp_path / keystore.LEDGER_NAME).write_bytes(b"")
    (tmp_path / keystore.FILE_NAME).unlink()

    assert fault(lambda: keystore.load(tmp_path, {})) == "keys_missing"
    assert fault(lambda: keystore.create(tmp_path)) == "keys_missing"
    assert not (tmp_path / keystore.FILE_NAME).exists()


def test_loading_makes_nothing(tmp_path: Path) -> None:
    assert fault(lambda: keystore.load(tmp_path, {})) == "keys_missing"
    assert fault(lambda: keystore.load(tmp_path / "nowhere", {})) == "keys_missing"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o640, 0o604, 0o666, 0o420, 0o401])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    put(tmp_path / keystore.FILE_NAME, KEYS.to_bytes(), mode)
    assert fault(lambda: keystore.load(tmp_path, {})) == "keys_exposed"


def test_a_file_of_the_owners_alone_is_read(tmp_path: Path) -> None:
    for mode in (0o400, 0o600):
        put(tmp_path / keystore.FILE_NAME, KEYS.to_bytes(), mode)
        assert keystore.load(tmp_path, {}) == KEYS


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = put(tmp_path / keystore.FILE_NAME, KEYS.to_bytes()).stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        assert keystore.load(tmp_path, {}) == KEYS  # root reads everything anyway
        monkeypatch.setattr(os, "fstat", lambda _: os.stat_result((0o100400, 0, 0, 1, 4242, 0, 0, 0, 0, 0)))
    assert fault(lambda: keystore.load(tmp_path, {})) == "keys_exposed"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    real = put(tmp_path / "elsewhere", KEYS.to_bytes())
    (tmp_path / keystore.FILE_NAME).symlink_to(real)
    assert fault(lambda: keystore.load(tmp_path, {})) == "keys_damaged"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 128,
        KEYS.to_bytes()[:-1],
        KEYS.to_bytes() + b"\x00",
        bytes(100_000),
        cose.encode([]),
        cose.encode({}),
        cose.encode(cose.decode(KEYS.to_bytes()) | {"v": 2}),
        cose.encode(cose.decode(KEYS.to_bytes()) | {"more": 1}),
        cose.encode(cose.decode(KEYS.to_bytes()) | {"nik_key": bytes(31)}),
        cose.encode(cose.decode(KEYS.to_bytes()) | {"nik_key": "n" * 32}),
        cose.encode({key: value for key, value in cose.decode(KEYS.to_bytes()).items() if key != "nik_key"}),
    ],
    ids=range(12),
)
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes) -> None:
    put(tmp_path / keystore.FILE_NAME, data)
    assert fault(lambda: keystore.load(tmp_path, {})) == "keys_damaged"


def test_a_folder_in_the_files_place_is_damaged(tmp_path: Path) -> None:
    (tmp_path / keystore.FILE_NAME).mkdir(mode=0o700)
    assert fault(lambda: keystore.load(tmp_path, {})) == "keys_damaged"


def test_a_pipe_in_the_files_place_is_damaged_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / keystore.FILE_NAME, 0o400)
    assert fault(lambda: keystore.load(tmp_path, {})) == "keys_damaged"


def test_the_service_managers_keys_come_first(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    other = keystore.create(home)
    environment = {"CREDENTIALS_DIRECTORY": str(given)}
    assert keystore.load(home, environment) == other

    put(given / keystore.CREDENTIAL_NAME, KEYS.to_bytes(), 0o440)
    loaded = keystore.load(home, environment)
    assert loaded == KEYS
    assert loaded.source is KeySource.SERVICE
    assert not loaded.disk_theft_exposes


def test_damaged_keys_of_the_service_manager_do_not_fall_back_to_the_file(tmp_path: Path) -> None:
    keystore.create(tmp_path)
    given = tmp_path / "given"
    given.mkdir()
    put(given / keystore.CREDENTIAL_NAME, b"junk")
    assert fault(lambda: keystore.load(tmp_path, {"CREDENTIALS_DIRECTORY": str(given)})) == "keys_damaged"


def test_keys_are_never_printed() -> None:
    said = f"{KEYS!r} {KEYS} {KEYS!s} {[KEYS]}"
    assert "file" in said
    for letter in "dkpn":
        assert letter * 8 not in said
        assert (letter * 8).encode().hex() not in said


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size_is_no_key(size: int) -> None:
    with pytest.raises(ValueError, match="32"):
        DeviceKeys(bytes(32), bytes(size), bytes(32), bytes(32))


def test_the_device_key_is_its_seed() -> None:
    # RFC 8032 section 7.1, TEST 1
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    keys = DeviceKeys(bytes(32), seed, bytes(32), bytes(32))
    assert keys.public().hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    keys.signer().public_key().verify(keys.signer().sign(b"x"), b"x")


def test_centrals_pepper_takes_the_place_of_the_devices_own(tmp_path: Path) -> None:
    made = keystore.create(tmp_path)
    changed = keystore.adopt_pepper(tmp_path, made, b"c" * 32)

    assert changed.officer_pepper == b"c" * 32
    assert keystore.load(tmp_path, {}) == changed
    sealed = tmp_path / keystore.PEPPER_FILE_NAME
    assert b"c" * 8 not in sealed.read_bytes()
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o400
    again = keystore.adopt_pepper(tmp_path, changed, b"e" * 32)
    assert keystore.load(tmp_path, {}) == again
    assert (again.database_key, again.device_key, again.nik_key) == (
        made.database_key,
        made.device_key,
        made.nik_key,
    )


def test_a_pepper_sealed_by_other_keys_or_damaged_is_refused(tmp_path: Path) -> None:
    made = keystore.create(tmp_path)
    keystore.adopt_pepper(tmp_path, made, b"c" * 32)
    sealed = tmp_path / keystore.PEPPER_FILE_NAME
    whole = sealed.read_bytes()
    for bad in (b"", whole[:-1], whole[:11], whole[:-1] + bytes([whole[-1] ^ 1]), b"\x00" * 60):
        put(sealed, bad)
        assert fault(lambda: keystore.load(tmp_path, {})) == "keys_damaged"
    put(sealed, whole)
    put(tmp_path / keystore.FILE_NAME, KEYS.to_bytes())
    assert fault(lambda: keystore.load(tmp_path, {})) == "keys_damaged"
    put(sealed, whole, 0o444)
    assert fault(lambda: keystore.load(tmp_path, {})) == "keys_exposed"


def test_a_pepper_of_another_size_is_refused(tmp_path: Path) -> None:
    made = keystore.create(tmp_path)
    with pytest.raises(ValueError, match="32"):
        keystore.adopt_pepper(tmp_path, made, b"short")
    assert keystore.load(tmp_path, {}) == made


def test_a_disk_that_fails_leaves_no_half_of_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    assert fault(lambda: keystore.create(tmp_path)) == "write_failed"
    assert list(tmp_path.iterdir()) == []
    assert fault(lambda: keystore.create(tmp_path / "nowhere")) == "write_failed"
