"""Import directions that name a rule rather than a list of files; pyproject.toml has the rest."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED_BY_BOTH_ENDS = {"sync.wire", "sync.signature", "sync.snapshot_format", "sync.usb"}
PURE = {
    f"kiosk.{name}"
    for name in (
        "values", "errors", "cose", "credential", "journal_format", "grant", "keyset",
        "period", "program", "program_state", "benefit", "enrolment",
        "officer_pin", "feed_rows", "feed_columns", "stock_slice", "legacy_cards", "card_certificate",
        "chip_proof", "durable_file",
    )
}  # fmt: skip


@cache
def arrows(folder: str) -> list[tuple[str, str]]:
    """Every import below a folder: the importing file and the module it imports."""
    return list(_arrows(folder))


def _arrows(folder: str) -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((str(path.relative_to(ROOT)), name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield str(path.relative_to(ROOT)), node.module
                for name in node.names:
                    target = f"{node.module}.{name.name}"
                    if ROOT.joinpath(*target.split(".")).with_suffix(".py").exists():
                        yield str(path.relative_to(ROOT)), target


def test_central_imports_the_wire_and_the_pure_parts_only() -> None:
    strays = [
        (source, target)
        for source, target in arrows("sync/central")
        if source != "sync/central/cli.py"
        and (
            (target.startswith("kiosk.") and target not in PURE)
            or (
                target.startswith("sync.")
                and not target.startswith("sync.central")
                and target not in SHARED_BY_BOTH_ENDS
            )
        )
    ]
    assert strays == []


def test_the_kiosks_end_never_imports_central() -> None:
    strays = [
        (source, target)
        for source, target in arrows("sync")
        if not source.startswith("sync/central/") and target.startswith("sync.central")
    ]
    assert strays == []


def test_no_package_imports_tests_or_benchmarks() -> None:
    strays = [
        (source, target)
        for folder in ("kiosk", "drivers", "ui", "sync", "config")
        for source, target in arrows(folder)
        if target.partition(".")[0] in {"tests", "bench", "pytest", "hypothesis", "cwt", "httpx", "psutil"}
    ]
    assert strays == []


def test_what_the_product_imports_is_named_in_requirements() -> None:
    """A package that is only there because another needs it may go with the next lock."""
    distributions = {
        "PySide6": "pyside6-essentials", "shiboken6": "pyside6-essentials", "cv2": "opencv-python-headless",
        "nfc": "nfcpy", "ndef": "nfcpy", "PIL": "pillow", "psycopg": "psycopg", "argon2": "argon2-cffi",
        "usb1": "nfcpy", "serial": "pyserial", "smartcard": "pyscard", "zxingcpp": "zxing-cpp",
        "starlette": "fastapi", "http_sf": "http-message-signatures",
        "pydantic_core": "pydantic", "urllib3": "requests",
    }  # fmt: skip
    named = {
        re.split(r"[#=<>;\[]", line, maxsplit=1)[0].strip().lower()
        for line in (ROOT / "deploy/requirements.in").read_text().splitlines()
    }
    ours = {"kiosk", "drivers", "ui", "sync", "config"}
    unnamed = set()
    for folder in ours:
        for source, target in arrows(folder):
            top = target.partition(".")[0]
            if (
                top not in ours | stdlib()
                and distributions.get(top, top.replace("_", "-")).lower() not in named
            ):
                unnamed.add((source, top))
    assert unnamed == set()


def stdlib() -> set[str]:
    """Python's own top-level modules."""
    import sys

    return set(sys.stdlib_module_names) | {"__future__"}


def test_each_command_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"kmc-kiosk": "kiosk.cli:main", "kmc-central": "sync.central.cli:main"}
