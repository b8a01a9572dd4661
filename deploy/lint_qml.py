"""Lints the screens' QML against the view-models in Python: a property misspelt on either side fails.

qmllint knows C++ types only. So the Python classes are described for it first: ``pyside6-metaobjectdump``
reads their source, ``pyside6-qmltyperegistrar`` turns that into ``.qmltypes``, and a ``qmldir`` names it. All
of it lies in a copy of the QML folder, so that the sources stay clean.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

TOOLS = Path(sys.executable).parent
MODULE = re.compile(r'^QML_IMPORT_NAME = "([\w.]+)"', re.MULTILINE)


def lint(sources: Path, work: Path) -> list[str]:
    """The complaints about ``sources/qml`` and the view-models beside it, one a line; empty if all is well.

    ``work`` is emptied and used for the copy.
    """
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(sources / "qml", work, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    files = sorted(work.rglob("*.qml"))
    complaints = [] if files else [f"{sources}/qml holds no QML"]
    for module, sources_of_module in _modules(sources).items():
        complaints += _describe(module, sources_of_module, work)
    if complaints:
        return complaints
    outcome = _run("qmllint", "--json", "-", "-W", "0", "-I", str(work), *map(str, files))
    if outcome.returncode == 0:
        return []
    if not outcome.stdout.startswith("{"):
        return outcome.stderr.splitlines() or [f"qmllint ended with {outcome.returncode} and no word"]
    lines = [
        _line(file["filename"], warning).replace(str(work), str(sources / "qml"))
        for file in json.loads(outcome.stdout)["files"]
        for warning in file["warnings"]
    ]
    return list(dict.fromkeys(lines)) or [f"qmllint ended with {outcome.returncode}"]


def _line(file: str, warning: dict[str, Any]) -> str:
    """One complaint; what is wrong with a whole module reads the same for each of its files."""
    where = f"{file}:{warning['line']}:{warning['column']}: " if "line" in warning else ""
    hints = "".join(f" ({hint['message'].strip()})" for hint in warning["suggestions"])
    return f"{where}{warning['message'].strip()} [{warning['id']}]{hints}"


def _modules(sources: Path) -> dict[str, list[Path]]:
    """QML module names and the Python files that put classes into them."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(sources.rglob("*.py")):
        for name in MODULE.findall(path.read_text()):
            found[name].append(path)
    return found


def _describe(module: str, paths: list[Path], work: Path) -> list[str]:
    """Writes the module's qmltypes and qmldir."""
    folder = work.joinpath(*module.split("."))
    folder.mkdir(parents=True, exist_ok=True)
    dump = folder / "metatypes.json"
    dumped = _run("metaobjectdump", "--quiet", "--out-file", str(dump), *map(str, paths))
    if dumped.returncode:
        return [f"{module}: {line}" for line in dumped.stderr.splitlines() or ["metaobjectdump failed"]]
    units = json.loads(dump.read_text())
    classes = {entry["className"] for unit in units for entry in unit["classes"]}
    for path, unit in zip(paths, units, strict=True):
        _as_cpp(unit, classes, _constants(path))
    dump.write_text(json.dumps(units))
    types = folder / "python.qmltypes"
    typed = _run(
        "qmltyperegistrar", "--import-name", module, "--major-version", "1", "--minor-version", "0",
        "--generate-qmltypes", str(types), "-o", str(folder / "registration.cpp"), str(dump),
    )  # fmt: skip
    if typed.returncode:
        return [f"{module}: {line}" for line in typed.stderr.splitlines() or ["qmltyperegistrar failed"]]
    qmldir = folder / "qmldir"
    lines = qmldir.read_text().splitlines() if qmldir.exists() else [f"module {module}"]
    depends = [f"depends {name}" for name in ("QtQml", "QtQml.Models", "QtQuick")]  # where base classes live
    qmldir.write_text("\n".join([*lines, *depends, f"typeinfo {types.name}", ""]))
    return []


def _constants(path: Path) -> set[tuple[str, str]]:
    """Class and name of the properties marked ``constant=True``, which metaobjectdump leaves out."""
    return {
        (owner.name, function.name)
        for owner in ast.walk(ast.parse(path.read_text()))
        if isinstance(owner, ast.ClassDef)
        for function in owner.body
        if isinstance(function, ast.FunctionDef)
        for mark in function.decorator_list
        if isinstance(mark, ast.Call) and any(word.arg == "constant" for word in mark.keywords)
    }


def _as_cpp(unit: dict[str, Any], classes: set[str], constants: set[tuple[str, str]]) -> None:
    """Gives the metatypes of one file the names of types that QML's engine has for Python's."""
    names = {"list": "QVariantList", "dict": "QVariantMap", "object": "QVariant", "float": "double"}
    pointers = classes | {"QObject", "QAbstractListModel", "QAbstractItemModel"}

    def cpp(name: str) -> str:
        name = names.get(name, name)
        return f"{name}*" if name in pointers else name

    for entry in unit["classes"]:
        for part in entry.get("properties", []):
            part["type"] = cpp(part["type"])
            part["constant"] = (entry["className"], part["name"]) in constants
        for part in (*entry.get("slots", []), *entry.get("signals", [])):
            part["returnType"] = cpp(part.get("returnType", "void"))
            for argument in part.get("arguments", []):
                argument["type"] = cpp(argument["type"])


def _run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TOOLS / f"pyside6-{tool}"), *arguments], capture_output=True, text=True, check=False
    )


def main() -> int:
    """The command: ``lint_qml.py [folder of view-models and qml] [work folder]``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", type=Path, nargs="?", default=Path("ui"))
    parser.add_argument("work", type=Path, nargs="?", default=Path("build/qmllint"))
    chosen = parser.parse_args()
    complaints = lint(chosen.sources.resolve(), chosen.work.resolve())
    print("\n".join(complaints), end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
