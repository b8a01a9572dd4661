"""Cameras of Video4Linux: OpenCV's own capture on a device that a shim answers for (``shim/v4l2.c``)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drivers.v4l2_camera import environment

HERE = Path(__file__).parent
LEAST_TESTS = 18


def test_the_contract_and_each_trouble_of_a_v4l2_camera(tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("a C compiler is missing: apt-get install gcc libc6-dev")
    shim = tmp_path / "v4l2.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(shim), str(HERE / "shim" / "v4l2.c"), "-ldl"],
        check=True,
        timeout=60,
    )
    suite = [str(HERE / "v4l2_suite.py"), "--noconftest", "-o", "addopts=", "--durations=5"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *suite],
        env=environment(tmp_path, shim),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    print(done.stdout[-4000:], done.stderr[-1000:])
    assert done.returncode == 0, "see above"
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= LEAST_TESTS
