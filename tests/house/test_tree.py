"""What is kept in the repository, and what is not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = {
    "kiosk", "drivers", "ui", "sync", "config", "tests", "bench", "deploy", "docs", ".ci",
    "pyproject.toml", "requirements.lock", "Makefile", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore",
}  # fmt: skip
MAX_BYTES = 2 * 1024 * 1024


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Every file that git keeps, and every new one that it would."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_the_top_level_holds_these_and_nothing_else(tracked: list[Path]) -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked} - TOP_LEVEL == set()


def test_no_file_is_large(tracked: list[Path]) -> None:
    assert {str(path): path.stat().st_size for path in tracked if path.stat().st_size > MAX_BYTES} == {}


def test_no_file_names_a_package_index_or_this_machine(tracked: list[Path]) -> None:
    hosts = (
        "py" + "pi.org",
        "python" + "hosted",
        "index" + "-url =",
        "extra-index" + "-url",
        "trusted" + "-host",
    )
    words = re.compile("|".join(map(re.escape, (*hosts, str(ROOT) + "/"))))
    found = []
    for path in tracked:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in words.finditer(text)]
    assert found == []


def test_scripts_can_be_run_and_are_sound(tracked: list[Path]) -> None:
    scripts = [path for path in tracked if path.suffix == ".sh" or path == ROOT / ".ci/run"]
    assert scripts
    for path in scripts:
        assert path.stat().st_mode & 0o111, f"{path} is not executable"
        subprocess.run(["bash", "-n", path], check=True)


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
