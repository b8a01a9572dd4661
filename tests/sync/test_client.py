"""The kiosk's client against whatever may answer in central's place: each has a code of its own."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk.errors import CentralFault
from sync import transport
from sync.client import MAX_RETRY_AFTER_S, CentralClient
from sync.signature import verify_request
from sync.wire import JournalRequest, KeysetAnswer, PollRequest, RightsRequest
from tests.kiosk.counter_world import SetClock
from tests.sync.scripted_server import CENTRAL_KID, Asked, Connection, ScriptedServer, refusal

POLL = PollRequest(gen=1)
GOOD: dict[str, Any] = {
    "changes_waiting": False,
    "grant_rev": 0,
    "time_ms": 1_795_500_000_000,
    "incarnation": 1,
    "acked_seq": 7,
}
BODY = json.dumps(GOOD).encode()
HTML = b"<html><title>Free Wi-Fi</title></html>"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server of one's own choosing."""
    with ScriptedServer().running() as made:
        yield made


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[CentralClient]:
    """A kiosk's client that knows the server's key as central's."""
    made = new_client(server)
    yield made
    made.close()


def new_client(server: ScriptedServer, url: str = "", **changes: Any) -> CentralClient:
    """A client of IRM1.1."""
    public = server.key.public_key()

    def key_for(kid: bytes) -> Ed25519PublicKey | None:
        return public if kid == CENTRAL_KID else None

    settings: dict[str, Any] = {"timeout_s": 1.0} | changes
    return CentralClient(
        url or server.url, "IRM1", 1, Ed25519PrivateKey.generate(), key_for, SetClock(), **settings
    )


def fault_of(call: Callable[[], object]) -> CentralFault:
    """The CentralFault of a call; anything else comes out as it is."""
    with pytest.raises(CentralFault) as caught:
        call()
    return caught.value


def test_a_signed_answer_is_believed_and_tells_centrals_time(
    server: ScriptedServer, client: CentralClient
) -> None:
    server.answer = lambda connection, asked: connection.signed(asked, 200, BODY)
    assert client.poll(POLL).acked_seq == 7
    assert client.central_time is not None
    assert client.central_time.time_ms == 1_795_500_000_000
    assert (server.asked[0].method, server.asked[0].path) == ("POST", "/v1/poll")


def test_the_connection_is_kept(server: ScriptedServer, client: CentralClient) -> None:
    server.answer = lambda connection, asked: connection.signed(asked, 200, BODY)
    for _ in range(5):
        client.poll(POLL)
    assert (len(server.asked), server.connections) == (5, 1)
    assert len({asked.nonce for asked in server.asked}) == 5


@pytest.mark.parametrize(
    ("coding", "compress"), [("zstd", zstandard.ZstdCompressor().compress), ("gzip", gzip.compress)]
)
def test_compressed_answers(
    server: ScriptedServer, client: CentralClient, coding: str, compress: Callable[[bytes], bytes]
) -> None:
    def answer(connection: Connection, asked: Asked) -> None:
        connection.signed(asked, 200, BODY, sent=compress(BODY), Content_Encoding=coding)

    server.answer = answer
    assert client.poll(POLL).acked_seq == 7


def _cut(connection: Connection, asked: Asked) -> None:
    connection.head(200, Content_Length=str(len(BODY)), KMC_Answer=connection.seal(asked, 200, BODY))
    connection.send(BODY[:10])
    connection.raw.shutdown(socket.SHUT_RDWR)


def _cut_chunk(connection: Connection, asked: Asked) -> None:
    connection.head(200, Transfer_Encoding="chunked", KMC_Answer=connection.seal(asked, 200, BODY))
    connection.send(b"ff\r\n" + BODY[:10])
    connection.raw.shutdown(socket.SHUT_RDWR)


def _cut_gzip(connection: Connection, asked: Asked) -> None:
    connection.signed(asked, 200, BODY, sent=gzip.compress(BODY)[:-12], Content_Encoding="gzip")


def _another_key(connection: Connection, asked: Asked) -> None:
    Connection(connection.raw, connection.stopping, Ed25519PrivateKey.generate()).signed(asked, 200, BODY)


def _changed_body(connection: Connection, asked: Asked) -> None:
    connection.signed(asked, 200, BODY, sent=BODY.replace(b"7", b"9"))


def _changed_status(connection: Connection, asked: Asked) -> None:
    connection.plain(403, BODY, KMC_Answer=connection.seal(asked, 200, BODY))


def _nothing(connection: Connection, asked: Asked) -> None:
    connection.raw.shutdown(socket.SHUT_RDWR)


STRANGE: dict[str, tuple[Callable[[Connection, Asked], None], str]] = {
    "a sign-in page": (lambda c, a: c.plain(200, HTML, Content_Type="text/html"), "answer_refused"),
    "a sign-in page, zipped": (
        lambda c, a: c.plain(200, gzip.compress(HTML), Content_Encoding="gzip"),
        "answer_refused",
    ),
    "a redirect": (lambda c, a: c.plain(302, b"", Location="http://127.0.0.1:1/login"), "answer_refused"),
    "an unsigned 200 of the right form": (lambda c, a: c.plain(200, BODY), "answer_refused"),
    "500": (lambda c, a: c.plain(500, b"Internal Server Error"), "central_error"),
    "502 with a page": (lambda c, a: c.plain(502, HTML), "central_error"),
    "401 unsigned": (lambda c, a: c.plain(401, HTML), "central_refused"),
    "403 unsigned that says revoked": (
        lambda c, a: c.plain(403, refusal("kiosk_revoked")),
        "central_refused",
    ),
    "401 unsigned, key unknown": (lambda c, a: c.plain(401, refusal("unknown_key")), "unknown_key"),
    "a code that is none": (lambda c, a: c.signed(a, 400, refusal("SITI RAHAYU")), "central_refused"),
    "403 signed": (lambda c, a: c.signed(a, 403, refusal("kiosk_revoked")), "kiosk_revoked"),
    "410 signed": (lambda c, a: c.signed(a, 410, refusal("cursor_gone")), "cursor_gone"),
    "an end before the answer": (_nothing, "central_unreachable"),
    "a cut body": (_cut, "answer_cut"),
    "a cut chunk": (_cut_chunk, "answer_cut"),
    "a cut gzip": (_cut_gzip, "answer_cut"),
    "no gzip at all": (lambda c, a: c.signed(a, 200, BODY, sent=BODY, Content_Encoding="gzip"), "answer_cut"),
    "no zstd at all": (lambda c, a: c.signed(a, 200, BODY, sent=BODY, Content_Encoding="zstd"), "answer_cut"),
    "another's signature": (_another_key, "answer_refused"),
    "another request's answer": (lambda c, a: c.signed(a, 200, BODY, nonce="0" * 32), "answer_refused"),
    "a changed body": (_changed_body, "answer_refused"),
    "a changed status": (_changed_status, "answer_refused"),
    "a seal that is none": (lambda c, a: c.plain(200, BODY, KMC_Answer="////"), "answer_refused"),
    "garbage for HTTP": (lambda c, a: c.send(b"\x00\xff garbage\r\n\r\n"), "central_unreachable"),
    "a header line without end": (
        lambda c, a: c.send(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000),
        "central_unreachable",
    ),
    "signed, but no message": (lambda c, a: c.signed(a, 200, b"{}"), "answer_not_understood"),
    "signed, but no JSON": (lambda c, a: c.signed(a, 200, b"\xff"), "answer_not_understood"),
    "a length that is none": (lambda c, a: c.plain(200, BODY, Content_length="\xb2"), "answer_refused"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_whatever_answers_has_its_own_code(server: ScriptedServer, client: CentralClient, name: str) -> None:
    server.answer, code = STRANGE[name]
    fault = fault_of(lambda: client.poll(POLL))
    assert fault.code == code
    assert "SITI" not in str(fault)
    server.answer = lambda connection, asked: connection.signed(asked, 200, BODY)
    assert client.poll(POLL).acked_seq == 7  # and central is believed again afterwards


def test_only_a_signed_refusal_says_that_it_is_signed(server: ScriptedServer, client: CentralClient) -> None:
    server.answer = lambda connection, asked: connection.plain(403, refusal("kiosk_revoked"))
    unsigned = fault_of(lambda: client.poll(POLL))
    assert (unsigned.detail["signed"], unsigned.detail["said"]) == (False, "kiosk_revoked")
    server.answer = lambda connection, asked: connection.signed(asked, 403, refusal("kiosk_revoked"))
    assert fault_of(lambda: client.poll(POLL)).detail["signed"] is True


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("999999999999999999999", None),
        ("99999999", MAX_RETRY_AFTER_S),
        ("\xb2", None),
        ("-5", None),
    ],
)
def test_how_long_to_wait_is_bounded(
    server: ScriptedServer, client: CentralClient, header: str, seconds: int | None
) -> None:
    server.answer = lambda connection, asked: connection.plain(429, b"", Retry_After=header)
    assert fault_of(lambda: client.poll(POLL)).detail.get("retry_after_s") == seconds


@pytest.mark.parametrize("coding", ["zstd", "gzip"])
def test_a_bomb_is_given_up_before_it_fills_the_memory(
    server: ScriptedServer, client: CentralClient, coding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1024 * 1024)
    bomb = bytes(64 * 1024 * 1024)
    sent = zstandard.ZstdCompressor().compress(bomb) if coding == "zstd" else gzip.compress(bomb)
    server.answer = lambda connection, asked: connection.plain(200, sent, Content_Encoding=coding)
    assert len(sent) < 200_000
    assert fault_of(lambda: client.poll(POLL)).code == "answer_too_large"


def test_a_window_larger_than_a_kiosk_has_to_offer_is_refused(
    server: ScriptedServer, client: CentralClient
) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    sent = compressor.compress(b"x" * 100) + compressor.flush()
    server.answer = lambda connection, asked: connection.plain(200, sent, Content_Encoding="zstd")
    assert fault_of(lambda: client.poll(POLL)).code == "answer_cut"


def test_a_body_beyond_the_limit_is_not_read_to_its_end(
    server: ScriptedServer, client: CentralClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 100_000)

    def endless(connection: Connection, asked: Asked) -> None:
        connection.head(200, Content_Length=str(2**40))
        while not connection.stopping.is_set():
            connection.send(bytes(65536))

    server.answer = endless
    assert fault_of(lambda: client.poll(POLL)).code == "answer_too_large"


def test_a_server_that_sends_a_byte_at_a_time_holds_nobody_up(
    server: ScriptedServer, client: CentralClient
) -> None:
    def dripping(connection: Connection, asked: Asked) -> None:
        connection.head(200, Content_Length="1000000")
        for _ in range(200):
            connection.stopping.wait(0.05)
            connection.send(b"x")
        connection.raw.shutdown(socket.SHUT_RDWR)

    server.answer = dripping
    begun = time.monotonic()
    fault = fault_of(lambda: client.poll(POLL))
    assert (fault.code, fault.detail["why"]) == ("central_unreachable", "timeout")
    assert 0.9 < time.monotonic() - begun < 5


def test_a_server_that_never_answers(server: ScriptedServer, client: CentralClient) -> None:
    def silent(connection: Connection, asked: Asked) -> None:
        connection.stopping.wait()

    server.answer = silent
    fault = fault_of(lambda: client.ask_rights(RightsRequest(rights=["h1/beras/2026-11"]), timeout_s=0.2))
    assert (fault.code, fault.detail["why"]) == ("central_unreachable", "timeout")


def test_nobody_listens(server: ScriptedServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    client = new_client(server, f"http://127.0.0.1:{port}")
    fault = fault_of(lambda: client.push(JournalRequest(gen=1, from_seq=1, records=[])))
    assert fault.code == "central_unreachable"
    assert "refused" in fault.message.lower()
    client.close()


@pytest.mark.parametrize(
    "url", ["http://", "http://[", "nowhere", "http://127.0.0.1:99999", "http://" + "x" * 300, "http://a..b"]
)
def test_addresses_that_are_none(server: ScriptedServer, url: str) -> None:
    client = new_client(server, url)
    assert fault_of(lambda: client.poll(POLL)).code == "central_unreachable"
    client.close()


def test_a_server_without_a_certificate(server: ScriptedServer) -> None:
    server.answer = lambda connection, asked: connection.plain(200, HTML)
    client = new_client(server, server.url.replace("http:", "https:"), timeout_s=0.3)
    assert fault_of(lambda: client.poll(POLL)).code in ("central_certificate", "central_unreachable")
    client.close()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_of_certificates_that_is_none(
    server: ScriptedServer, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)
    client = new_client(server, "https://127.0.0.1:1", ca_file=str(tmp_path / "ca.pem"))
    fault = fault_of(lambda: client.poll(POLL))
    assert (fault.code, fault.detail["why"]) == ("central_certificate", "ca_file")
    client.close()


def test_no_message_names_a_proxys_password(server: ScriptedServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for proxy in (f"http://kmc:rahasia@127.0.0.1:{port}", "http://kmc:rahasia@", "rahasia"):
        client = new_client(server, "http://central.invalid", proxy=proxy)
        fault = fault_of(lambda client=client: client.poll(POLL))  # type: ignore[misc]
        assert fault.code == "central_unreachable"
        assert "rahasia" not in str(fault.as_json())
        client.close()


def test_what_is_not_understood_is_not_repeated(server: ScriptedServer, client: CentralClient) -> None:
    body = json.dumps(GOOD | {"acked_seq": "SITI RAHAYU"}).encode()
    server.answer = lambda connection, asked: connection.signed(asked, 200, body)
    fault = fault_of(lambda: client.poll(POLL))
    assert fault.code == "answer_not_understood"
    assert "acked_seq" in fault.message
    assert "SITI" not in str(fault.as_json())


# -- pieces of a snapshot --

PIECE = bytes(range(256)) * 4
SPAN = f"bytes 0-{len(PIECE) - 1}/{len(PIECE)}"


def fetched(client: CentralClient) -> bytes:
    """The only piece of a snapshot."""
    found: list[bytes] = []
    client.snapshot_piece("p1", 7, 0, len(PIECE), found.append)
    return b"".join(found)


def signs(key: Ed25519PrivateKey, server: ScriptedServer, asked: Asked) -> bool:
    """True if a request was signed by this key."""
    try:
        verify_request(asked.method, server.url + asked.path, asked.headers, asked.body, key.public_key())
    except CentralFault:
        return False
    return True


def test_a_piece_is_asked_for_by_the_key_that_central_knows(server: ScriptedServer) -> None:
    rolled = Ed25519PrivateKey.generate()

    def answer(connection: Connection, asked: Asked) -> None:
        if signs(rolled, server, asked):
            connection.signed(asked, 206, PIECE, Content_Range=SPAN)
        else:
            connection.signed(asked, 403, refusal("key_rolled"))

    server.answer = answer
    client = new_client(server, other_keys=lambda: [rolled])
    assert fetched(client) == fetched(client) == PIECE
    assert [signs(rolled, server, asked) for asked in server.asked] == [False, True, True]
    client.close()
    stranger = new_client(server)
    assert fault_of(lambda: fetched(stranger)).code == "key_rolled"
    stranger.close()


@pytest.mark.parametrize("newer", [True, False])
def test_a_piece_sealed_by_a_key_that_is_not_known_yet(server: ScriptedServer, newer: bool) -> None:
    known: dict[bytes, Ed25519PublicKey] = {}

    def take(keyset: bytes) -> bool:
        assert keyset == b"keyset"
        known.update({CENTRAL_KID: server.key.public_key()} if newer else {})
        return newer

    def answer(connection: Connection, asked: Asked) -> None:
        if asked.path == "/v1/keyset":
            connection.plain(200, KeysetAnswer(keyset=b"keyset").model_dump_json().encode())
        else:
            connection.signed(asked, 206, PIECE, Content_Range=SPAN)

    server.answer = answer
    key = Ed25519PrivateKey.generate()
    client = CentralClient(server.url, "IRM1", 1, key, known.get, SetClock(), take_keyset=take)
    if newer:
        assert fetched(client) == PIECE
    else:
        assert fault_of(lambda: fetched(client)).detail["why"] == "unknown_key"
    assert [asked.path for asked in server.asked] == ["/v1/snapshot/p1/7", "/v1/keyset"]
    client.close()
