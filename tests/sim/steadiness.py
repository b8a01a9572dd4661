"""Keys, salts and nonces from a generator that is known: a schedule then gives the same bytes everywhere."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@contextmanager
def steady(name: str) -> Iterator[None]:
    """What the product draws from the system's generator comes from one that ``name`` starts."""
    rng = Random(f"material of {name}")

    def some(count: int | None = None) -> bytes:
        return rng.randbytes(32 if count is None else count)

    with ExitStack() as stack:
        for owner, attribute, drawn in (
            (os, "urandom", some),
            (secrets, "token_bytes", some),
            (secrets, "token_hex", lambda count=None: some(count).hex()),
            (secrets, "choice", rng.choice),
            (secrets, "randbelow", rng.randrange),
            (Ed25519PrivateKey, "generate", lambda: Ed25519PrivateKey.from_private_bytes(some(32))),
        ):
            stack.enter_context(mock.patch.object(owner, attribute, drawn))
        yield
