"""Signatures checked by processes of their own: the same verdicts, whatever becomes of the processes."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.central.verifying import MIN_SHARED, Signed, VerifyPool, serve, spare_cores, verify_here


def signed(count: int) -> list[Signed]:
    """Good ones, except that every fifth does not hold."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    made = []
    for number in range(count):
        message = f"message {number}".encode() * 9
        made.append(Signed(public, key.sign(message), message[1:] if number % 5 == 4 else message))
    return made


@pytest.fixture
def pool() -> Iterator[VerifyPool]:
    """One worker."""
    made = VerifyPool(1)
    yield made
    made.close()


def expected(count: int) -> bytes:
    return bytes(number % 5 != 4 for number in range(count))


@pytest.mark.parametrize("count", [0, 1, MIN_SHARED, 3 * MIN_SHARED])
def test_the_verdicts_are_in_order(pool: VerifyPool, count: int) -> None:
    assert pool.verify(signed(count)) == expected(count) == verify_here(signed(count))


def test_many_threads_share_one_worker(pool: VerifyPool) -> None:
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(pool.verify(signed(MIN_SHARED)))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected(MIN_SHARED)] * 6


def test_a_worker_that_is_killed_costs_no_verdict(pool: VerifyPool) -> None:
    assert pool.verify(signed(MIN_SHARED)) == expected(MIN_SHARED)
    process = pool._workers[0]._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert pool.verify(signed(MIN_SHARED)) == expected(MIN_SHARED)
    again = pool._workers[0]._process
    assert again is not None
    assert again.pid != process.pid


def test_a_worker_that_cannot_be_started_is_done_without(
    pool: VerifyPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sync.central.verifying.sys.executable", "/nonexistent/python")
    assert pool.verify(signed(MIN_SHARED)) == expected(MIN_SHARED)
    assert "checks signatures failed" in caplog.text


def test_odd_sizes_are_judged_here(pool: VerifyPool) -> None:
    (one,) = signed(1)
    odd = [
        one._replace(signature=b"short"),
        one._replace(public=b"short"),
        one._replace(message=bytes(10**5)),
    ]
    assert pool.verify([*odd, *[one] * MIN_SHARED]) == bytes(3) + b"\x01" * MIN_SHARED


def test_a_worker_ends_with_its_input() -> None:
    out = io.BytesIO()
    serve(io.BytesIO(b""), out)
    assert out.getvalue() == b""


def test_there_is_room_for_central_itself() -> None:
    assert 0 <= spare_cores() < len(os.sched_getaffinity(0))
