"""What a hostile card may cost at most: processor time and memory, for the worst input of every parser."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest

from bench.cards import MOST_MB, MOST_MS
from bench.hostile import cases

CASES = cases()
REPEATS = 3


def fastest_ms(case: Callable[[], object]) -> float:
    """Of this thread alone, the least of a few: a busy machine takes longer, never less."""
    spans = []
    for _ in range(REPEATS):
        begun = time.thread_time()
        case()
        spans.append((time.thread_time() - begun) * 1000)
    return min(spans)


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_hostile_card_is_cheap(name: str) -> None:
    assert fastest_ms(CASES[name]) <= MOST_MS
    tracemalloc.start()
    try:
        CASES[name]()
        peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    assert peak_mb <= MOST_MB
