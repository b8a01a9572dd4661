"""Nothing but CardFault comes out of a parser that meets a card: hypothesis, the kept corpus, atheris."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.strategies import STRATEGIES
from tests.fuzz.targets import KEYS, TARGETS, run

HERE = Path(__file__).parent
CORPUS = sorted((HERE / "corpus").iterdir())
RUNS = 4_000


def test_every_target_is_fed_and_has_kept_inputs() -> None:
    assert STRATEGIES.keys() == TARGETS.keys()
    assert {KEYS[path.read_bytes()[:1]] for path in CORPUS} == set(TARGETS)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_a_kept_input_is_taken_or_refused_by_name(path: Path) -> None:
    assert len(path.read_bytes()) <= 4096
    run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
@given(st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_shaped_like_a_card_raises_nothing_else(name: str, data: st.DataObject) -> None:
    TARGETS[name](data.draw(STRATEGIES[name]))


def atheris(tmp_path: Path, *options: str) -> None:
    """One run of the fuzzer in a process of its own, which ends with 0 if it found nothing."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed here: pip install atheris (x86-64 only)")
    kept = tmp_path / "corpus"
    shutil.copytree(HERE / "corpus", kept)
    command = [
        sys.executable,
        str(HERE / "fuzz_cards.py"),
        f"-artifact_prefix={tmp_path}/",
        *options,
        str(kept),
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    assert "DONE" in done.stderr or "Done" in done.stderr


def test_a_short_run_of_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    atheris(tmp_path, f"-runs={RUNS}", "-seed=1", "-max_len=1024")


@pytest.mark.soak
def test_a_long_run_of_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    atheris(tmp_path, "-max_total_time=240", "-seed=2")
