"""A TPM 2.0 in software (swtpm), on a Unix socket in a folder of the test's own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kiosk.rollback import TPM_TOOLS, TpmCounter

START_S = 20.0


class SoftwareTpm:
    """A running one."""

    def __init__(self, socket_path: Path) -> None:
        self.tcti = f"swtpm:path={socket_path}"

    def counter(self) -> TpmCounter:
        """Its counter."""
        return TpmCounter(self.tcti)


@contextmanager
def running_tpm(state: Path) -> Iterator[SoftwareTpm]:
    """Runs a TPM over the state in that folder; skips where the Debian packages are missing."""
    if shutil.which("swtpm") is None:
        pytest.skip("swtpm is missing: apt-get install swtpm")
    if not all(shutil.which(tool) for tool in TPM_TOOLS):
        pytest.skip("tpm2-tools is missing: apt-get install tpm2-tools")
    state.mkdir(exist_ok=True)
    # A socket's path holds 107 bytes at most: the test's own folder may be longer.
    with tempfile.TemporaryDirectory(prefix="kmc-tpm-") as short:
        data, control = Path(short) / "s", Path(short) / "s.ctrl"
        process = subprocess.Popen(
            [
                "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}",
                "--server", f"type=unixio,path={data}", "--ctrl", f"type=unixio,path={control}",
                "--flags", "not-need-init,startup-clear",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait(process, control)
            yield SoftwareTpm(data)
        finally:
            process.terminate()
            process.wait(timeout=START_S)


def _wait(process: subprocess.Popen[bytes], path: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as line:
            if line.connect_ex(str(path)) == 0:
                return
        assert process.poll() is None, "swtpm ended"
        assert time.monotonic() < deadline, "swtpm does not listen"
        time.sleep(0.01)
