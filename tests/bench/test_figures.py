"""The bench's arithmetic: percentiles, limits, ratios, the table."""

from __future__ import annotations

import pytest

from bench.figures import Figure, Limit, Yardstick, percentile, single, spread, table


def test_a_percentile_is_a_value_that_was_seen() -> None:
    values = [float(number) for number in range(1, 101)]
    assert percentile(values, 0.95) == 95.0
    assert percentile(values, 0.5) == 50.0
    assert percentile(values, 1.0) == 100.0
    assert percentile([3.0, 1.0, 2.0], 0.95) == 3.0
    assert percentile([7.0], 0.05) == 7.0


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        percentile([1.0], share)


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="values"):
        spread([])


def test_a_limit_looks_at_its_own_measure() -> None:
    lying = spread([10.0] * 96 + [90.0] * 4)
    assert Figure("tap", "ms", lying, limit=Limit(40.0)).holds is True
    assert Figure("tap", "ms", lying, limit=Limit(40.0, "most")).holds is False
    assert Figure("tap", "ms", spread([10.0] * 94 + [90.0] * 6), limit=Limit(40.0)).holds is False
    assert Figure("tap", "ms", lying).holds is None


def test_a_limit_holds_at_its_very_value() -> None:
    assert Figure("memory", "MB", single(250.0), limit=Limit(250.0, "most")).holds is True


def test_the_ratio_is_of_medians() -> None:
    stick = Yardstick("bare", spread([1.0, 2.0, 50.0]))
    assert Figure("tap", "ms", spread([5.0, 6.0, 7.0]), stick).ratio == 3.0
    assert Figure("tap", "ms", single(5.0)).ratio is None
    assert Figure("tap", "ms", single(5.0), Yardstick("bare", single(0.0))).ratio is None


def test_the_table_says_plainly_what_does_not_hold() -> None:
    figures = [
        Figure(
            "tap", "ms", spread([10.0, 50.0]), Yardstick("bare", single(5.0)), Limit(40.0), "a word on it"
        ),
        Figure("memory", "MB", single(100.0), limit=Limit(250.0, "most")),
        Figure("start", "s", single(2.0)),
    ]
    lines = table(figures).splitlines()
    assert lines[0].split()[0] == "what"
    assert "p95 <= 40.0" in lines[2]
    assert lines[2].endswith("NO")
    assert lines[3] == "    a word on it"
    assert lines[4].endswith("yes")
    assert not lines[5].endswith(("yes", "NO"))


def test_json_has_everything() -> None:
    figure = Figure("tap", "ms", spread([10.0, 50.0]), Yardstick("bare", single(5.0)), Limit(40.0), "note")
    assert figure.as_json() == {
        "name": "tap", "unit": "ms", "n": 2, "p50": 10.0, "p95": 50.0, "max": 50.0,
        "limit": {"of": "p95", "most": 40.0}, "holds": False,
        "yardstick": {"name": "bare", "n": 1, "p50": 5.0, "p95": 5.0, "max": 5.0},
        "ratio_of_medians": 2.0, "note": "note",
    }  # fmt: skip
