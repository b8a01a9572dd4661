#!/usr/bin/env bash
# Pins what deploy/requirements*.in name: requirements.lock to run, deploy/requirements-dev.lock to test.
# Settings of this machine's pip (its own indexes and folders) are left out, so that they cannot narrow or
# leak into what is pinned. To stay on Python 3.11's answers, run it on the oldest Python supported.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compile() { # lock, source, more options...
    local lock=$1 source=$2
    shift 2
    cp "$lock" "$work/$(basename "$lock")" 2>/dev/null || true
    env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL -u PIP_INDEX_URL PIP_CONFIG_FILE=/dev/null \
        .venv/bin/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-header \
        --no-emit-index-url --no-emit-find-links --no-annotate --output-file "$work/out" "$@" "$source"
    { echo "# Made by \`make lock\` from $source."; sed "/^#/d; /^\$/d" "$work/out"; } >"$lock"
}
compile requirements.lock deploy/requirements.in
compile deploy/requirements-dev.lock deploy/requirements-dev.in --constraint requirements.lock
