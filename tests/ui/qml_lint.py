"""Lint the QML against the view-models' own properties: ``python tests/ui/qml_lint.py [BUILD_FOLDER]``.

Chain: metaobjectdump (properties of the Python types) → qmltyperegistrar (their qmltypes) → qmldir → qmllint.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
MODELS = ("rows", "citizen_model", "confirm_form", "day_list", "officer_model", "kiosk_model", "tray")


def run(*command: str | Path) -> str:
    """The command's output; raises with it if it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def lint(folder: Path) -> None:
    """Generate the types into ``folder`` and lint all QML files; raises SystemExit with what was found."""
    module = folder / "Kmc" / "Models"
    module.mkdir(parents=True, exist_ok=True)
    dump = module / "metatypes.json"
    dump.write_text(
        run(BIN / "pyside6-metaobjectdump", *(ROOT / "ui" / f"{name}.py" for name in MODELS)), "utf-8"
    )
    run(
        BIN / "pyside6-qmltyperegistrar", "--generate-qmltypes", module / "kmc.qmltypes",
        "--import-name", "Kmc.Models", "--major-version", "1", "-o", module / "unused.cpp", dump,
    )  # fmt: skip
    (module / "qmldir").write_text("module Kmc.Models\ntypeinfo kmc.qmltypes\n", "utf-8")
    files = sorted((ROOT / "ui" / "qml" / "Kmc").glob("*.qml"))
    print(run(BIN / "pyside6-qmllint", "-W", "0", "-I", folder, "-I", ROOT / "ui" / "qml", *files), end="")
    print(f"qmllint: {len(files)} files clean")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        lint(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            lint(Path(scratch))
