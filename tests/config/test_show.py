from __future__ import annotations

import json
import tomllib
from pathlib import Path

from config.keys import MASK
from config.load import load
from config.show import as_json, as_toml


def test_secrets_are_masked_and_origins_named(tmp_path: Path) -> None:
    (tmp_path / "kiosk.toml").write_text("[central]\nproxy_password = 'hunter2'\nproxy_user = 'loket'\n")
    loaded = load({"KMC_HOME": str(tmp_path), "KMC_LOG__LEVEL": "debug"})
    shown = as_json(loaded)
    assert shown["settings"]["central.proxy_password"] == {"value": MASK, "from": "file"}
    assert shown["settings"]["log.level"] == {"value": "debug", "from": "environment"}
    assert shown["settings"]["zone"] == {"value": "Asia/Jakarta", "from": "default"}
    assert shown["file"] == str(tmp_path / "kiosk.toml")
    assert "hunter2" not in json.dumps(shown)
    toml = as_toml(loaded)
    assert "hunter2" not in toml
    assert 'level = "debug" # environment' in toml
    data = tomllib.loads(toml)
    assert data["central"]["proxy_user"] == "loket"
    assert data["readers"]["nfc"]["enabled"] is True


def test_a_secret_that_is_not_set_is_shown_empty(tmp_path: Path) -> None:
    shown = as_json(load({"KMC_HOME": str(tmp_path)}))
    assert shown["settings"]["central.proxy_password"]["value"] == ""


def test_a_camera_s_password_is_masked(tmp_path: Path) -> None:
    loaded = load({"KMC_HOME": str(tmp_path), "KMC_READERS__QR__SOURCE": "http://cam:s3cret@10.0.0.7/s.mjpg"})
    assert as_json(loaded)["settings"]["readers.qr.source"]["value"] == f"http://{MASK}@10.0.0.7/s.mjpg"
    assert "s3cret" not in as_toml(loaded)
