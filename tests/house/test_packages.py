"""The packages keep the shape that the house gives them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("kiosk", "drivers", "ui", "sync", "config", "bench")


def imports_of(path: Path) -> set[str]:
    """The modules a file imports, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{name.name}" for name in node.names)
    return found


@pytest.mark.parametrize("package", OURS)
def test_package_files_are_empty(package: str) -> None:
    inits = sorted((ROOT / package).rglob("__init__.py"))
    assert inits
    assert [str(path) for path in inits if path.read_bytes()] == []


@pytest.mark.parametrize("module", ["values", "errors"])
def test_values_and_errors_import_nothing_of_ours(module: str) -> None:
    first = {name.partition(".")[0] for name in imports_of(ROOT / "kiosk" / f"{module}.py")}
    assert first.isdisjoint(OURS)


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for package in OURS for path in (ROOT / package).rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []
