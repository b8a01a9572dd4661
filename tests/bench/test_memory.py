"""How the bench counts memory and finds children, on processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from bench.resources import Resident, as_if_alone, children_of, resident

LIBC = ("/lib/libc.so", "00000000")
QT = ("/lib/libQt.so", "00001000")


def test_a_shared_mapping_counts_once_at_its_largest() -> None:
    one = Resident(pss=0, private=100, shared={LIBC: 40, QT: 10})
    other = Resident(pss=0, private=200, shared={LIBC: 50})
    assert as_if_alone([one, other]) == 300 + 50 + 10
    assert as_if_alone([one]) == 150


def test_memory_that_a_process_takes_is_seen() -> None:
    size = 64 * 1024 * 1024
    program = (
        "import sys\n"
        f"kept = bytearray({size})\n"
        f"kept[::4096] = bytes([1]) * {size // 4096}\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "ready\n"
        found = resident(child.pid)
        assert child.pid in children_of(os.getpid())
        assert sys.executable in children_of(os.getpid())[child.pid]
        child.stdin.close()
    assert found.private >= size
    assert found.pss >= size
    assert as_if_alone([found]) >= found.pss
