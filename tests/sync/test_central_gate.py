"""The door of /v1: what is unsigned, stale, too large or nonsense is refused, in JSON and never by 5xx."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from kiosk.errors import CentralFault
from kiosk.values import Mode
from sync.central import kiosk_rows, state
from sync.central.api import make_app
from sync.central.poll import Hub
from sync.central.state import Central
from sync.signature import MAX_SKEW_S, new_nonce, open_answer
from sync.wire import ANSWER_HEADER, MAX_BODY_BYTES, MAX_RECORDS
from tests.sync.central_side import RICE, START, Clock, PlainKiosk

pytestmark = pytest.mark.anyio
POLL = {"gen": 1}


@pytest.fixture(params=["sqlite"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """What the door does is the same on every database."""
    return str(request.param)


def told(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal; its body is nothing else."""
    body = response.json()
    assert set(body) == {"code", "message"}
    return response.status_code, body["code"]


async def test_health_needs_no_signature(http: httpx.AsyncClient) -> None:
    response = await http.get("/v1/health")
    assert response.json() == {"ok": True, "time_ms": START * 1000}
    assert ANSWER_HEADER not in response.headers


async def test_an_unsigned_request_is_refused(http: httpx.AsyncClient, keeper: PlainKiosk) -> None:
    assert told(await http.post("/v1/poll", json=POLL)) == (401, "signature_missing")


async def test_an_unknown_key_is_refused(keeper: PlainKiosk) -> None:
    for keyid in ("ZZZ9.1", "AAA1.2", "AAA1", "enrol", "AAA1.x", "../etc.1", "AAA1.99999999999", "."):
        assert told(await keeper.send("POST", "/v1/poll", POLL, keyid)) == (401, "unknown_key")


async def test_a_wrong_signature_is_refused(
    keeper: PlainKiosk, clock: Clock, http: httpx.AsyncClient
) -> None:
    thief = PlainKiosk(http, clock, kiosk="AAA1", gen=1)
    assert told(await thief.send("POST", "/v1/poll", POLL)) == (401, "bad_signature")


@pytest.mark.parametrize("part", ["body", "path", "query", "method", "digest"])
async def test_a_request_changed_on_its_way_is_refused(
    keeper: PlainKiosk, http: httpx.AsyncClient, part: str
) -> None:
    await keeper.send("GET", "/v1/changes?cursor=")
    assert keeper.last is not None
    signed = {
        name: value
        for name, value in keeper.last.request.headers.items()
        if name in ("content-digest", "signature", "signature-input", "content-type")
    }
    if part == "digest":
        signed["content-digest"] = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
    response = await http.request(
        "POST" if part == "method" else "GET",
        "/v1/poll" if part == "path" else f"/v1/changes?cursor={'x' if part == 'query' else ''}",
        headers=signed,
        content=b"{}" if part == "body" else b"",
    )
    assert told(response) == (401, "bad_signature")


async def test_a_replayed_request_is_refused(keeper: PlainKiosk) -> None:
    nonce = new_nonce()
    assert (await keeper.send("POST", "/v1/poll", POLL, nonce=nonce)).status_code == 200
    response = await keeper.send("POST", "/v1/poll", POLL, nonce=nonce)
    assert told(response) == (401, "replayed")
    keeper.check_seal(response)


async def test_a_replayed_push_is_refused(keeper: PlainKiosk) -> None:
    """Also one that was refused the first time, and so was never taken in."""
    keeper.note()
    unknown = keeper.body(1) | {"gen": 9}
    for body, first in ((keeper.body(1), 200), (unknown, 404), ({"gen": 1}, 422)):
        nonce = new_nonce()
        assert (await keeper.send("POST", "/v1/journal", body, nonce=nonce)).status_code == first
        response = await keeper.send("POST", "/v1/journal", body, nonce=nonce)
        assert told(response) == (401, "replayed")
        keeper.check_seal(response)
        response = await keeper.send("POST", "/v1/poll", POLL, nonce=nonce)
        assert told(response) == (401, "replayed")


async def test_a_push_and_its_nonce_are_one_transaction(
    central: Central, keeper: PlainKiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper.note()
    writes = 0
    write = central.database.write

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal writes
        writes += 1
        return write(*arguments, **named)

    monkeypatch.setattr(central.database, "write", counted)
    assert (await keeper.push()).acked_seq == 1
    assert writes == 1


async def test_a_nonce_belongs_to_one_key(keeper: PlainKiosk, second: PlainKiosk) -> None:
    nonce = new_nonce()
    for kiosk in (keeper, second):
        assert (await kiosk.send("POST", "/v1/poll", POLL, nonce=nonce)).status_code == 200


@pytest.mark.parametrize("skew", [-MAX_SKEW_S - 1, MAX_SKEW_S + 1, -(10**9)])
async def test_a_clock_far_off_is_told_central_s_time(keeper: PlainKiosk, clock: Clock, skew: int) -> None:
    response = await keeper.send("POST", "/v1/poll", POLL, created=clock() + skew)
    assert told(response) == (401, "clock")
    keeper.check_seal(response)


@pytest.mark.parametrize("skew", [-MAX_SKEW_S, MAX_SKEW_S])
async def test_a_clock_a_little_off_is_good_enough(keeper: PlainKiosk, clock: Clock, skew: int) -> None:
    response = await keeper.send("POST", "/v1/poll", POLL, created=clock() + skew)
    assert response.status_code == 200


async def test_an_oversized_body_is_refused_unread(keeper: PlainKiosk, http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/journal", content=b"x" * (MAX_BODY_BYTES + 1))
    assert told(response) == (413, "body_too_large")

    async def endless() -> object:
        while True:
            yield b"x" * 65536

    response = await http.post("/v1/journal", content=endless())  # type: ignore[arg-type]
    assert told(response) == (411, "length_required")


async def test_too_many_records_are_refused(keeper: PlainKiosk) -> None:
    record = {"record": "AAAA", "signature": "A" * 86 + "=="}
    body = {"gen": 1, "from_seq": 1, "records": [record] * (MAX_RECORDS + 1)}
    assert told(await keeper.send("POST", "/v1/journal", body)) == (413, "too_many_records")


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Please sign in</body></html>",
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"gen": 1, "gen2": 1}',
        b'{"gen": "one"}',
        b'{"gen": 99999999999999999999999999}',
        b'{"gen": 1, "wait_s": NaN}',
        b'{"gen": 1, "wait_s": 1e400}',
        b'{"gen": 1, "cursor": "\\ud800"}',
        b"[" * 100_000,
    ],
)
async def test_nonsense_is_refused(keeper: PlainKiosk, body: bytes) -> None:
    for path in ("/v1/poll", "/v1/journal", "/v1/rights"):
        response = await keeper.send("POST", path, body)
        code = "body_too_deep" if body.startswith(b"[[") else "body_invalid"
        assert told(response) == (422, code)
        keeper.check_seal(response)


async def test_nonsense_at_enrolment_is_refused(fresh: PlainKiosk) -> None:
    assert told(await fresh.send("POST", "/v1/enrol", b"<html>", "enrol")) == (422, "body_invalid")


async def test_values_of_a_refused_body_are_not_repeated(keeper: PlainKiosk) -> None:
    response = await keeper.send("POST", "/v1/rights", {"rights": ["NIK 9901010101800001"]})
    assert "9901" not in response.text


async def test_other_paths_and_methods(keeper: PlainKiosk) -> None:
    assert told(await keeper.send("GET", "/v1/nothing")) == (404, "not_found")
    assert told(await keeper.send("GET", "/v1/poll")) == (405, "method_not_allowed")


async def test_a_cursor_that_is_none(keeper: PlainKiosk) -> None:
    assert told(await keeper.send("GET", "/v1/changes?cursor=%00%ff")) == (400, "cursor_malformed")


async def test_large_answers_are_compressed_as_asked(keeper: PlainKiosk, http: httpx.AsyncClient) -> None:
    sizes = {}
    for coding in ("zstd, gzip", "gzip", "identity", "zstd;q=0, gzip;q=0.5"):
        await keeper.send("GET", "/v1/changes", headers={"Accept-Encoding": coding})
        assert keeper.last is not None
        keeper.check_seal(keeper.last)
        sizes[coding] = (
            keeper.last.headers.get("content-encoding"),
            int(keeper.last.headers["content-length"]),
        )
    assert [one for one, _ in sizes.values()] == ["zstd", "gzip", None, "gzip"]
    assert sizes["zstd, gzip"][1] < sizes["identity"][1]


async def test_an_answer_holds_for_its_request_alone(keeper: PlainKiosk) -> None:
    response = await keeper.send("POST", "/v1/poll", POLL)
    nonce = response.request.headers["signature-input"].split('nonce="')[1].split('"')[0]
    seal, key_for = response.headers[ANSWER_HEADER], keeper.keyset.central_key
    body = response.content
    open_answer(seal, key_for, nonce=nonce, status=200, body=body)
    for changed, said, status, told_body in (
        (seal, "other", 200, body),
        (seal, nonce, 201, body),
        (seal, nonce, 200, body + b" "),
        ("AAAA", nonce, 200, body),
    ):
        with pytest.raises(CentralFault, match="answer_refused"):
            open_answer(changed, key_for, nonce=said, status=status, body=told_body)


async def test_documentation_is_for_demonstrations(
    http: httpx.AsyncClient, tmp_path: Path, clock: Clock
) -> None:
    paths = (await http.get("/openapi.json")).json()["paths"]
    assert set(paths) == {
        "/v1/enrol",
        "/v1/journal",
        "/v1/rights",
        "/v1/poll",
        "/v1/changes",
        "/v1/health",
    } | {
        "/v1/snapshot/{bucket}",
        "/v1/snapshot/{bucket}/{gen}",
        "/v1/keyset",
        "/v1/holdings",
        "/v1/lookup",
    }
    assert (await http.get("/docs")).status_code == 200
    made = state.init(tmp_path / "p", f"sqlite:///{tmp_path}/p.db", Mode.PRODUCTION, clock)
    try:
        transport = httpx.ASGITransport(app=make_app(made))
        async with httpx.AsyncClient(transport=transport, base_url="http://central") as client:
            for path in ("/openapi.json", "/docs", "/redoc"):
                assert (await client.get(path)).status_code == 404
    finally:
        made.close()


async def test_a_poll_waits_until_something_comes(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    seen = await keeper.poll()
    page = await keeper.ask("GET", "/v1/changes")
    while page["more"]:
        page = await keeper.ask("GET", f"/v1/changes?cursor={page['next']}")
    still = {"cursor": page["next"], **keeper.holding(seen)}
    began = time.monotonic()
    quiet = await keeper.poll(wait_s=0.3, **still)
    assert time.monotonic() - began >= 0.3
    assert (quiet.changes_waiting, quiet.recalls, quiet.grants) == (False, [], [])

    recalls: list[str] = []

    async def wait() -> None:
        recalls.extend((await keeper.poll(wait_s=30.0, **still)).recalls)

    began = time.monotonic()
    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await second.acquire(RICE)
    assert recalls == [RICE]
    assert time.monotonic() - began < 10
    # Told once, it does not make every poll an answer at once.
    began = time.monotonic()
    assert (await keeper.poll(wait_s=0.3, **still)).recalls == [RICE]
    assert time.monotonic() - began >= 0.3


async def test_a_closing_central_lets_polls_go(central: Central, clock: Clock) -> None:
    hub = Hub()
    transport = httpx.ASGITransport(app=make_app(central, hub))
    async with httpx.AsyncClient(transport=transport, base_url="http://central", timeout=60) as client:
        kiosk = await PlainKiosk(client, clock).enrol(central, "AAA2")
        page = await kiosk.ask("GET", "/v1/changes")
        while page["more"]:
            page = await kiosk.ask("GET", f"/v1/changes?cursor={page['next']}")
        answers: list[object] = []

        async def wait() -> None:
            answers.append(await kiosk.poll(wait_s=60.0, cursor=page["next"]))

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            with anyio.fail_after(20):
                while not (kiosk_rows.listed(central)[1]["seen_at"]):
                    await anyio.sleep(0.01)
            hub.close()
        assert len(answers) == 1


def test_every_error_names_its_code_and_nothing_more() -> None:
    from sync.central.gate import error_body

    assert json.loads(error_body("a", "b")) == {"code": "a", "message": "b"}
