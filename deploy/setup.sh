#!/usr/bin/env bash
# Makes this folder ready to run (`setup.sh run`) or to test (`setup.sh test`): Debian packages, .venv, the
# project itself. Does nothing when the stamp in .venv says it was done. Python 3.11 to 3.13; PYTHON overrides.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:?run or test}
case $what in run | test) ;; *) echo "setup.sh: run or test, not '$what'" >&2; exit 2 ;; esac

locks=(requirements.lock)
[ "$what" = test ] && locks+=(deploy/requirements-dev.lock)
key=$({ cat requirements.lock deploy/requirements-dev.lock deploy/setup.sh deploy/debian-packages; sed '/^\[tool\.ruff\]/,$d' pyproject.toml; } | sha256sum | cut -d' ' -f1)
stamp=.venv/.ready-$what
done_already() {
    [ -x .venv/bin/kmc-kiosk ] && { [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] || [ "$(cat .venv/.ready-test 2>/dev/null)" = "$key" ]; }
}
done_already && exit 0

mkdir -p build
exec 9>build/setup.lock
flock 9
done_already && exit 0

log=build/setup.log
: >"$log"
say() { echo "set-up: $*" >&2; }
stop() { say "$*"; exit 1; }
logged() {
    "$@" >>"$log" 2>&1 9>&- </dev/null && return
    tail -n 25 "$log" >&2
    stop "failed: $* (its whole output is in $log)"
}

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
choose_python() {
    local name
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 /usr/bin/python3}; do
        if command -v "$name" >/dev/null && fits "$name"; then command -v "$name"; return; fi
    done
}
has_headers() { "$1" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'; }
can_make_venv() { "$1" -c 'import venv, ensurepip' 2>/dev/null; }

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
offered() { apt-cache show "$1" >/dev/null 2>&1; }
missing_packages() { # one name a line; "a|b": either, as Debian renamed some
    local section line name names
    section=$what
    while read -r line; do
        case $line in '' | '#'*) continue ;; '['*']') section=${line//[\[\]]/}; continue ;; esac
        [ "$section" = test ] && [ "$what" = run ] && continue
        IFS='|' read -ra names <<<"$line"
        for name in "${names[@]}"; do installed "$name" && continue 2; done
        for name in "${names[@]}"; do offered "$name" && break; name=${names[0]}; done
        echo "$name"
    done <deploy/debian-packages
}

install_packages() { # missing Debian packages: installs them, or prints the one line that does
    local as_root=() command
    command="apt-get install -y --no-install-recommends $*"
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            as_root=(sudo)
        else
            say "Debian packages are missing. As root:"
            echo "apt-get install -y --no-install-recommends $*" >&2
            exit 1
        fi
    fi
    say "Debian packages: $*"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $command >>"$log" 2>&1 9>&- && return
    logged "${as_root[@]}" apt-get update
    logged "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $command
}

debian=no
command -v dpkg-query >/dev/null && command -v apt-get >/dev/null && debian=yes
python=$(choose_python)
if [ $debian = yes ]; then
    if [ -z "$(apt-cache pkgnames libxcb-cursor0 2>/dev/null)" ] && [ "$(id -u)" = 0 ]; then
        logged apt-get update # a fresh image has no package lists: names could not be told apart
    fi
    mapfile -t missing < <(missing_packages)
    if [ -z "$python" ]; then
        missing+=(python3 python3-venv)
    elif ! can_make_venv "$python"; then
        missing+=("$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')")
    fi
    if [ -z "$python" ]; then
        missing+=(python3-dev)
    elif ! has_headers "$python"; then
        missing+=("$("$python" -c 'import sys; print("python%d.%d-dev" % sys.version_info[:2])')")
    fi
    [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
    python=$(choose_python)
else
    say "not a Debian system: the libraries in deploy/debian-packages are taken to be there"
fi
[ -n "$python" ] || stop "no Python 3.11, 3.12 or 3.13 found; set PYTHON to one"

if ! { [ -x .venv/bin/python ] && fits .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    rm -rf .venv
    say ".venv with $("$python" -V)"
    logged "$python" -m venv .venv
fi
rm -f .venv/.ready-*
pip() { logged .venv/bin/python -m pip --no-input --disable-pip-version-check "$@"; }
pip_install() { pip install --require-hashes --no-build-isolation --only-binary :all: "$@"; }
say "Python packages (some 300 MB the first time)"
# The tools that install come first and from the lock too: some packages have no wheels and are built.
awk '/^[^ #]/ { wanted = /^(pip|setuptools)==/ } wanted' requirements.lock >build/installers.lock
pip_install --requirement build/installers.lock
pip_install --no-binary pydes,pyscard,evdev "${locks[@]/#/--requirement=}"
pip install --no-deps --no-build-isolation --no-index --editable .
echo "$key" >"$stamp"
say "ready"
