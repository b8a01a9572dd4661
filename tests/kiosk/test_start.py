"""How the kiosk starts: what has to be there before its readers begin beside the window."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
from types import SimpleNamespace

import kiosk.app, kiosk.home, sync.kiosk_end
from config.load import load

class Begun(Exception):
    pass

def begin(*_):
    raise Begun

assert 'shiboken6' not in sys.modules
kiosk.app.ThreadPoolExecutor = begin
kiosk.home.Home = lambda _: SimpleNamespace(ledger=lambda: SimpleNamespace(close=lambda: None))
sync.kiosk_end.make_rights = lambda *_: None
try:
    kiosk.app.run(load())
except Begun:
    sys.exit(0 if 'shiboken6' in sys.modules else 'a thread imports while the binding is not loaded yet')
sys.exit('no thread was started')
"""


def test_qts_binding_is_loaded_before_a_thread_imports_anything(tmp_path: Path) -> None:
    # Loading it walks through sys.modules: an import in another thread meanwhile ended the process.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "KMC_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
