"""Central against its own OpenAPI document: generated requests, some signed by a real kiosk, most not.

Whatever arrives, central answers within its schema and never with an error of its own; without a valid
signature nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import anyio.from_thread
import httpx
import pytest
import requests
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import func, literal, select, table, union_all

from kiosk import cose
from kiosk.journal_format import TYPES, record_hash
from sync.central.api import make_app
from sync.central.models import metadata
from sync.central.poll import Hub
from sync.central.state import Central
from sync.signature import keyid_of, new_nonce, sign_request
from sync.wire import to_base64
from tests.sync.central_side import CARD_1, NEXT_RICE, RICE, Clock, PlainKiosk, place

Case = schemathesis.Case[Any]
Operation = APIOperation[Any, Any, Any, Any]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
HOST = "http://central"
MAX_URL = 16_000
"""Characters; no server takes more in a request line."""
ENROL = "/v1/enrol"
OPEN_TO_ALL = ("/v1/health", "/v1/keyset")
"""Read by those who cannot sign yet; nothing in them is secret, and nothing is written."""
UNSIGNED = ("nothing", "a stranger's key", "an unknown key id", "another body's", "a year ago", "once before")
"""What a request without a valid signature carries instead."""
REFUSED: Final = (400, 401, 404, 405, 413, 422)


class Caller:
    """Sends generated requests straight into central's application."""

    def __init__(self, central: Central, clock: Clock) -> None:
        self.central = central
        self.clock = clock
        self.answers: Counter[tuple[str, int]] = Counter()
        self.once_before: dict[str, list[Any]] = {}
        """What central had when the newest request had come once, and not yet again."""
        hub = Hub()
        hub.close()  # a poll waits for nothing
        self.app = make_app(central, hub)
        transport = httpx.ASGITransport(app=self.app)
        self._http = httpx.AsyncClient(transport=transport, base_url=HOST)
        self._stranger = PlainKiosk(self._http, clock)
        self.kiosk = PlainKiosk(self._http, clock)
        self._entered = anyio.from_thread.start_blocking_portal()
        self._portal = self._entered.__enter__()
        self._portal.call(self.kiosk.enrol, central, "AAA1")
        place(central)
        self.polled()

    def close(self) -> None:
        """Ends the thread that central's application runs in."""
        self._portal.call(self._http.aclose)
        self._entered.__exit__(None, None, None)

    def polled(self) -> None:
        """Has the kiosk do what time brings at central, so that no later call does it."""
        self._portal.call(self.kiosk.poll)

    def send(self, case: Case, signed_with: str) -> httpx.Response:
        """One generated request, signed as told."""
        prepared = requests.Request(**_plain(case.as_transport_kwargs(base_url=HOST))).prepare()
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body or b""
        assume(len(str(prepared.url)) < MAX_URL)
        url = str(httpx.URL(str(prepared.url)))
        headers = {name: value for name, value in prepared.headers.items() if name != "Content-Length"}
        headers |= self._signature(str(prepared.method), url, body, signed_with)
        request = httpx.Request(str(prepared.method), url, headers=headers, content=body)
        response: httpx.Response = self._portal.call(self._http.send, request)
        if signed_with == "once before":
            assert response.status_code < 500
            self.once_before = self.contents()
            response = self._portal.call(
                self._http.send, httpx.Request(request.method, url, headers=headers, content=body)
            )
        self.answers[case.operation.label, response.status_code] += 1
        return response

    def _signature(self, method: str, url: str, body: bytes, signed_with: str) -> dict[str, str]:
        if signed_with == "nothing":
            return {}
        enrolling = url.startswith(HOST + ENROL)
        strange = signed_with == "a stranger's key"
        return sign_request(
            method,
            url,
            body + b" " if signed_with == "another body's" else body,
            (self._stranger if strange else self.kiosk).key,
            "ZZZ9.1"
            if signed_with == "an unknown key id"
            else "enrol"
            if enrolling
            else keyid_of(self.kiosk.kiosk, self.kiosk.gen),
            nonce=new_nonce(),
            created=self.clock() - (365 * 86_400 if signed_with == "a year ago" else 0),
        )

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        with self.central.database.read() as connection:
            counted = [
                select(literal(name), func.count()).select_from(table(name)) for name in metadata.tables
            ]
            return {row[0]: row[1] for row in connection.execute(union_all(*counted))}

    def contents(self) -> dict[str, list[Any]]:
        """Every row of every table, and every file beside them, the log outside the database among them."""
        with self.central.database.read() as connection:
            rows = {
                name: sorted(map(repr, connection.execute(select(one)).all()))
                for name, one in metadata.tables.items()
            }
        files = [path for path in self.central.home.rglob("*") if path.is_file()]
        assert files
        return rows | {str(path): [path.read_bytes()] for path in files}


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    known = ("method", "url", "headers", "params", "cookies", "data", "files", "json")
    return {name: value for name, value in arguments.items() if name in known}


@pytest.fixture
def caller(central: Central, clock: Clock) -> Iterator[Caller]:
    """A way into central."""
    made = Caller(central, clock)
    yield made
    made.close()


def every_operation(caller: Caller) -> list[Operation]:
    """What central's document offers."""
    schema = schemathesis.openapi.from_dict(caller.app.openapi())
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    routes = [route for route in caller.app.routes if isinstance(route, APIRoute)]
    served = {(method, route.path) for route in routes for method in route.methods or ()}
    assert {(one.method.upper(), one.path) for one in operations} == served
    assert {path for _, path in served} >= {*OPEN_TO_ALL, ENROL, "/v1/journal", "/v1/holdings", "/v1/lookup"}
    return operations


def generated(examples: int) -> Callable[[Any], Any]:
    """The same requests in every run."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def cases(operation: Operation) -> st.SearchStrategy[Case]:
    """Requests that the document allows, and such as it does not."""
    return st.one_of(
        operation.as_strategy(GenerationMode.POSITIVE), operation.as_strategy(GenerationMode.NEGATIVE)
    )


def test_nothing_is_written_without_a_valid_signature(caller: Caller) -> None:
    for operation in every_operation(caller):
        contents = caller.contents()
        refuses(caller, operation)
        assert caller.contents() == contents, operation.label
    assert sum(count for (_, status), count in caller.answers.items() if status == 401) > 50


def refuses(caller: Caller, operation: Operation) -> None:
    """Generated requests to one operation, none of them with a valid signature."""
    before = caller.rows()
    expected = (*REFUSED, 200) if operation.path in OPEN_TO_ALL else REFUSED

    @generated(30)
    @given(case=cases(operation), signed_with=st.sampled_from(UNSIGNED[:-1]))
    def refused(case: Case, signed_with: str) -> None:
        response = caller.send(case, signed_with)
        case.validate_response(response, checks=CHECKS)
        assert response.status_code in expected, response.text
        assert caller.rows() == before

    refused()


def test_the_same_request_is_taken_once(caller: Caller) -> None:
    """A request of whatever kind that is sent again is answered 401 and changes nothing."""
    signed = [one for one in every_operation(caller) if one.path not in OPEN_TO_ALL]
    for operation in signed:
        repeats(caller, operation)
    again = {label for label, status in caller.answers if status == 401}
    assert again == {one.label for one in signed}


def repeats(caller: Caller, operation: Operation) -> None:
    """Requests that the document allows, each made twice."""

    @generated(10 if operation.path == "/v1/journal" else 3)
    @given(case=operation.as_strategy())
    def replayed(case: Case) -> None:
        if operation.path == ENROL:
            # Else nobody has signed it: an enrolment is signed by the key that it brings.
            case.body = {"ticket": "AAAA-BBBB", "public": caller.kiosk.public()}
        response = caller.send(case, "once before")
        case.validate_response(response, checks=CHECKS)
        assert response.status_code in REFUSED
        assert caller.contents() == caller.once_before

    replayed()


def test_answers_stay_within_the_document(caller: Caller) -> None:
    """Requests of a real kiosk: as generated, and with content that leads further in."""
    for operation in every_operation(caller):
        answers(caller, operation)
    print(sorted(caller.answers.items()))
    for label in ("POST /v1/journal", "POST /v1/rights", "POST /v1/poll", "GET /v1/changes"):
        assert caller.answers[label, 200] > 3, label
    place(caller.central)
    caller.polled()


def answers(caller: Caller, operation: Operation) -> None:
    """Generated requests to one operation, all signed."""

    @generated(60)
    @given(case=cases(operation), data=st.data())
    def answered(case: Case, data: st.DataObject) -> None:
        if data.draw(st.integers(0, 2)):
            lead_further(case, caller.kiosk, data)
        response = caller.send(case, "the kiosk's key")
        case.validate_response(response, checks=CHECKS)

    answered()


NUMBERS = st.one_of(st.integers(-2, 5), st.integers(-(2**63), 2**64 - 1))
TEXTS = st.one_of(
    st.sampled_from(["", RICE, NEXT_RICE, "*", "AAA1-0001", "h1", CARD_1, "beras@1"]), st.text()
)
EPOCHS: st.SearchStrategy[list[int]] = st.one_of(
    st.just([]), st.lists(NUMBERS, min_size=2, max_size=2), st.just([1, 1])
)
VALUES = st.recursive(
    st.one_of(NUMBERS, TEXTS, st.booleans(), st.binary(max_size=40), EPOCHS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
DETAILS = st.dictionaries(
    st.one_of(
        st.sampled_from(
            [
                "spends",
                "entitlement",
                "collector",
                "checks",
                "goods",
                "restores",
                "upto",
                "public",
                "what",
                "slice",
                "quantity",
                "tolerated",
                "within_grant",
                "from_ms",
                "to_ms",
                "supervisor",
            ]
        ),
        st.text(max_size=10),
    ),
    VALUES,
    max_size=5,
)


@st.composite
def records(draw: st.DrawFn, kiosk: PlainKiosk) -> bytes:
    """A record that continues the kiosk's chain, with anything in its fields, or anything at all."""
    record: dict[str, Any] = {
        "v": 1,
        "kiosk": kiosk.kiosk,
        "gen": kiosk.gen,
        "seq": len(kiosk.chain) + 1,
        "prev": record_hash(kiosk.chain[-1][0]) if kiosk.chain else bytes(32),
        "type": draw(st.sampled_from(sorted(TYPES))),
        "right": draw(TEXTS),
        "ref": draw(TEXTS),
        "quantity": draw(NUMBERS),
        "epoch": draw(EPOCHS),
        "mode": draw(st.sampled_from(["", "strict", "tolerate"])),
        "program_version": draw(TEXTS),
        "officer": draw(TEXTS),
        "card": draw(TEXTS),
        "assurance": draw(st.sampled_from(["", "p1", "p9"])),
        "collector_commitment": draw(st.sampled_from([b"", bytes(32), b"x"])),
        "wall": draw(NUMBERS),
        "mono": draw(NUMBERS),
        "boot_id": draw(TEXTS),
        "detail": draw(DETAILS),
    }
    for name in draw(st.lists(st.sampled_from(sorted(record)), max_size=2)):
        record[name] = draw(VALUES)
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(min_size=1, max_size=60))
    return cose.encode(record)


def lead_further(case: Case, kiosk: PlainKiosk, data: st.DataObject) -> None:
    """Puts in what passes the first checks: signed records, rights and buckets there are, Base64."""
    path = case.operation.path
    if path == "/v1/journal":
        first = len(kiosk.chain) + 1
        for _ in range(data.draw(st.integers(1, 3))):
            kiosk.append(data.draw(records(kiosk)))
        case.body = kiosk.body(first)
    elif path == "/v1/rights":
        rights: list[Any] = data.draw(st.lists(st.sampled_from([RICE, NEXT_RICE, "h9/beras/2026-11"])))
        case.body = {"rights": rights}
    elif path == ENROL:
        case.body = {"ticket": data.draw(st.text(min_size=1, max_size=64)), "public": kiosk.public()}
    elif path == "/v1/poll" and isinstance(case.body, dict):
        case.body = case.body | {"gen": kiosk.gen}
    elif isinstance(case.body, dict) and "credential" in case.body:
        case.body = case.body | {"credential": to_base64(data.draw(st.binary(max_size=200)))}
    elif "bucket" in (case.path_parameters or {}):
        case.path_parameters = dict(case.path_parameters) | {
            "bucket": data.draw(st.sampled_from(["city", "p1", "p2", "o1", "o2", "p9"]))
        }
