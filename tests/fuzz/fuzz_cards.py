"""``python tests/fuzz/fuzz_cards.py``: atheris over every parser that meets a card, until stopped.

Options are libFuzzer's, such as ``-runs=100000`` or ``-max_total_time=600``. New inputs that reach new code
are put into build/fuzz; the kept ones (tests/fuzz/corpus) are only read. What is found is left there as
``crash-*``: put it into the kept corpus, where the tests run it for ever after.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests/fuzz/corpus"
FOUND = ROOT / "build/fuzz"


def main() -> None:
    """Instruments the parsers, then hands over to libFuzzer."""
    import atheris

    sys.path.insert(0, str(ROOT))
    with atheris.instrument_imports(include=["drivers", "kiosk"], enable_loader_override=False):
        from tests.fuzz.targets import run

    FOUND.mkdir(parents=True, exist_ok=True)
    options = [option for option in sys.argv[1:] if option.startswith("-")]
    folders = [option for option in sys.argv[1:] if not option.startswith("-")] or [str(FOUND)]
    artifacts = f"-artifact_prefix={FOUND}/"
    atheris.Setup([sys.argv[0], "-max_len=8192", artifacts, *options, *folders, str(KEPT)], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
