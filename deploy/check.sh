#!/usr/bin/env bash
# The quick part of `make test`. Runs every check, prints only what is wrong.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p build
failed=()
check() { # name, command...
    local name=$1 log=build/check-$1.log
    shift
    "$@" >"$log" 2>&1 </dev/null || { failed+=("$name"); printf '== %s\n' "$name"; cat "$log"; }
}
bin=.venv/bin
check ruff $bin/ruff check .
check format $bin/ruff format --check .
check mypy $bin/mypy --strict
check imports $bin/lint-imports --no-logo --no-cache
check qml $bin/python deploy/lint_qml.py
[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
