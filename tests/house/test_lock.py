"""What is installed: pinned, hashed, from nowhere in particular, and not in the way of our folders."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "deploy/requirements-dev.lock")
OURS = {"kiosk", "drivers", "ui", "sync", "config", "tests", "bench", "deploy", "docs"}


def pins(lock: str) -> dict[str, tuple[str, int]]:
    """Package name → its pinned version and number of hashes."""
    found: dict[str, tuple[str, int]] = {}
    for block in re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text()):
        if match := re.match(r"([a-z0-9.-]+)==([^ ]+)(?: ; [^\\\n]+)? \\\n", block):
            found[match[1]] = (match[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block)))
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_a_pin_or_a_hash(lock: str) -> None:
    for line in (ROOT / lock).read_text().splitlines():
        assert re.fullmatch(
            r"# .*|[a-z0-9.-]+==[0-9a-z.+!]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line
        ), line
    assert all(hashes for _, hashes in pins(lock).values())
    assert len(pins(lock)) > 20


@pytest.mark.parametrize("lock", LOCKS)
def test_no_host_and_no_path(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|--index|--extra|--find|--trusted|^-|file:|(?<![\w-])/|@ ", text, re.MULTILINE)


def test_both_locks_agree() -> None:
    run, dev = pins(LOCKS[0]), pins(LOCKS[1])
    assert {name: (run[name], dev[name]) for name in run.keys() & dev.keys() if run[name] != dev[name]} == {}


def test_compiled_packages_have_wheels_for_every_python() -> None:
    """A lock made against a folder of this machine's own wheels has one hash where an index has dozens."""
    run = pins(LOCKS[0])
    for name in ("numpy", "pillow", "pydantic-core", "sqlcipher3", "psycopg-binary", "zstandard", "cffi"):
        assert run[name][1] >= 12, name


def test_qt_is_the_release_that_keeps_its_references() -> None:
    assert pins(LOCKS[0])["pyside6-essentials"][0] == "6.11.3"


def test_what_is_pinned_is_installed() -> None:
    differing = {}
    for lock in LOCKS:
        for name, (version, _) in pins(lock).items():
            if name in ("pip", "setuptools", "wheel"):
                continue
            if (there := importlib.metadata.version(name)) != version:
                differing[name] = (there, version)
    assert differing == {}


def test_no_dependency_ships_a_folder_named_like_ours() -> None:
    clashes = set()
    for distribution in importlib.metadata.distributions():
        if distribution.metadata["Name"] == "kmc-kiosk":
            continue
        for file in distribution.files or []:
            top = file.parts[0].removesuffix(".py")
            if top in OURS and not file.parts[0].endswith(".dist-info"):
                clashes.add((distribution.metadata["Name"], top))
    assert clashes == set()
