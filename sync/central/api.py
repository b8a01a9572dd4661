"""Central's routes under ``/v1``. ``Gate`` stands before them; the work is done in the other modules."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, Final

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from kiosk.errors import CentralFault, KioskError
from kiosk.values import Mode
from sync.central import acquire, changes, enrol, following, intake, key_admin, lookup, poll, ranges, recovery
from sync.central.admission import Admission, Caller
from sync.central.bodies import body_of, read_body
from sync.central.gate import Gate, error_body, retry_after, status_of
from sync.central.limits import Limits
from sync.central.snapshots import Snapshots
from sync.central.state import Central
from sync.snapshot_format import MAX_BYTES
from sync.wire import (
    MAX_CURSOR,
    MAX_RECORDS,
    ChangesAnswer,
    EnrolAnswer,
    EnrolRequest,
    ErrorAnswer,
    HealthAnswer,
    HoldingsAnswer,
    HoldingsRequest,
    JournalAnswer,
    JournalRequest,
    KeysetAnswer,
    LookupAnswer,
    LookupRequest,
    PollAnswer,
    PollRequest,
    RightsAnswer,
    RightsRequest,
    SnapshotManifest,
)

JSON: Final = "application/json"
_LIKE_400: Final[dict[str, Any]] = {
    "content": {JSON: {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}}
}
ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorAnswer},
    **dict.fromkeys((401, 403, 404, 408, 410, 411, 413, 416, 422, 429, 503), _LIKE_400),
}
"""The same body for each; the model is named once, since every naming is built anew for every route."""

BucketName = Annotated[str, Path(pattern=r"^[a-z][0-9a-z]{0,23}$")]
SnapshotGen = Annotated[int, Path(ge=0, lt=2**53)]

logger = logging.getLogger(__name__)


def make_app(central: Central, hub: poll.Hub | None = None, limits: Limits | None = None) -> FastAPI:
    """Central as an ASGI application. The caller closes ``central`` when it is done."""
    hub = hub or poll.Hub()
    ticker = poll.Ticker(central)
    told = poll.Told()
    snapshots = Snapshots(central)
    central.database.after_write(hub.notify)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        ticking = asyncio.create_task(_tick_forever(ticker))
        yield
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking

    shown = central.mode is Mode.DEMONSTRATION
    app = FastAPI(
        title="KMC central",
        version="1",
        lifespan=lifespan,
        openapi_url="/openapi.json" if shown else None,
        docs_url="/docs" if shown else None,
        redoc_url=None,
    )
    app.add_middleware(Gate, central=central, limits=limits)
    _add_fault_handlers(app)

    @app.post("/v1/enrol", response_model=EnrolAnswer, responses=ERRORS)
    async def post_enrol(body: EnrolRequest) -> Response:
        """Makes a machine a kiosk, on a one-time ticket."""
        answer = await run_in_threadpool(enrol.enrol, central, body)
        ticker.hasten()
        return _json(answer)

    @app.post(
        "/v1/journal", response_model=JournalAnswer, responses=ERRORS, openapi_extra=body_of(JournalRequest)
    )
    async def post_journal(request: Request) -> Response:
        """Takes journal records in; what left the counter is never refused."""
        return _json(await run_in_threadpool(_push, central, request, await request.body()))

    @app.post("/v1/rights", response_model=RightsAnswer, responses=ERRORS)
    async def post_rights(body: RightsRequest, request: Request) -> Response:
        """Grants rights that are free, recalls those that lie elsewhere."""
        caller = _caller(request)
        await run_in_threadpool(_check_current, central, caller)
        answers = await run_in_threadpool(acquire.acquire, central, caller.kiosk, caller.gen, body.rights)
        return _json(RightsAnswer(answers=answers))

    @app.post("/v1/poll", response_model=PollAnswer, responses=ERRORS)
    async def post_poll(body: PollRequest, request: Request) -> Response:
        """Heartbeat and long-poll: answers at once if something waits, else after ``wait_s``."""
        caller = _caller(request)
        body = body.model_copy(update={"gen": caller.gen}) if body.gen > caller.gen else body
        await run_in_threadpool(ticker.tick)
        await run_in_threadpool(poll.note_seen, central, caller.kiosk, body)
        until = asyncio.get_running_loop().time() + body.wait_s
        while True:
            answer, at_once = await run_in_threadpool(poll.look, central, caller.kiosk, body, told)
            left = until - asyncio.get_running_loop().time()
            if at_once or left <= 0 or hub.closed:
                await run_in_threadpool(central.outside.keep_answer, answer.grants, answer.slices)
                told.remember(caller.kiosk, answer, central.now())
                return Response(answer.model_dump_json(exclude_defaults=True), media_type=JSON)
            await hub.wait(min(left, poll.WAKE_S))

    @app.get("/v1/changes", response_model=ChangesAnswer, responses=ERRORS)
    async def get_changes(request: Request, cursor: str = Query("", max_length=MAX_CURSOR)) -> Response:
        """One page of what changed behind the cursor."""
        follower = await run_in_threadpool(_follower, central, _caller(request))
        return _json(await run_in_threadpool(changes.page, central, follower, cursor))

    @app.get("/v1/snapshot/{bucket}", response_model=SnapshotManifest, responses=ERRORS)
    async def get_manifest(bucket: BucketName, request: Request) -> Response:
        """What the newest snapshot of a bucket is; 503 with Retry-After while it is being made."""
        await run_in_threadpool(_check_follows, central, _caller(request), bucket)
        return _json(SnapshotManifest(manifest=await run_in_threadpool(snapshots.manifest, bucket)))

    @app.get("/v1/snapshot/{bucket}/{gen}", response_class=Response, responses=ERRORS)
    async def get_snapshot(bucket: BucketName, gen: SnapshotGen, request: Request) -> Response:
        """Bytes of a snapshot; with Range one span of them (RFC 9110 section 14.2), of 4 MiB at most."""
        await run_in_threadpool(_check_follows, central, _caller(request), bucket)
        span = ranges.read_range(request.headers.get("range", ""))
        first, last = span or (0, MAX_BYTES)
        data, size = await run_in_threadpool(snapshots.piece, bucket, gen, first, last)
        return ranges.answer(data, size, first, whole=span is None)

    @app.post("/v1/lookup", response_model=LookupAnswer, responses=ERRORS)
    async def post_lookup(body: LookupRequest, request: Request) -> Response:
        """The holder of a card that the kiosk does not know; kept in a log, 429 when asked too often."""
        caller = _caller(request)
        await run_in_threadpool(_check_current, central, caller, even_frozen=True)
        return _json(await run_in_threadpool(lookup.look_up, central, caller.kiosk, caller.gen, body))

    @app.get("/v1/keyset", response_model=KeysetAnswer)
    async def get_keyset() -> Response:
        """The city's keys, for who cannot check an answer any more because they changed."""
        return _json(KeysetAnswer(keyset=await run_in_threadpool(key_admin.signed_keyset, central)))

    @app.post("/v1/holdings", response_model=HoldingsAnswer, responses=ERRORS)
    async def post_holdings(body: HoldingsRequest, request: Request) -> Response:
        """What a kiosk holds, asked for after central went back to a backup."""
        caller = _caller(request)
        await run_in_threadpool(_check_current, central, caller)
        return _json(await run_in_threadpool(recovery.take, central, caller.kiosk, caller.gen, body))

    @app.get("/v1/health", response_model=HealthAnswer)
    async def get_health() -> Response:
        """Unsigned: says only that something like central is here."""
        return _json(HealthAnswer(ok=True, time_ms=int(central.clock() * 1000)))

    return app


def _push(central: Central, request: Request, body: bytes) -> JournalAnswer:
    """In a thread of its own, which also reads the body: it may be long, and others are served meanwhile."""
    admission: Admission = request.state.admission
    asked = read_body(JournalRequest, body)
    answer = intake.push(central, admission.caller.kiosk, asked, admission.keep)
    admission.kept = True
    return answer


def _check_current(central: Central, caller: Caller, *, even_frozen: bool = False) -> int:
    with central.database.read() as connection:
        return poll.current_point(connection, caller.kiosk, caller.gen, even_frozen=even_frozen)


def _follower(central: Central, caller: Caller) -> following.Follower:
    with central.database.read() as connection:
        point_id = poll.current_point(connection, caller.kiosk, caller.gen, even_frozen=True)
        return following.follower(connection, caller.kiosk, point_id)


def _check_follows(central: Central, caller: Caller, bucket: str) -> None:
    if bucket not in _follower(central, caller).buckets:
        raise CentralFault("not_followed", f"{caller.kiosk} does not follow {bucket}")


async def _tick_forever(ticker: poll.Ticker) -> None:
    while True:
        try:
            await run_in_threadpool(ticker.tick)
        except Exception:
            logger.exception("a tick failed; the next one tries again")
        await asyncio.sleep(poll.TICK_S)


def _caller(request: Request) -> Caller:
    admission: Admission = request.state.admission
    return admission.caller


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type=JSON)


def _add_fault_handlers(app: FastAPI) -> None:
    @app.exception_handler(KioskError)
    async def on_fault(_: Request, fault: KioskError) -> Response:
        if status_of(fault) >= 500:
            logger.error("%s", fault)
        wait = retry_after(fault)
        headers = None if wait is None else {"Retry-After": wait}
        return Response(error_body(fault.code, fault.message), status_of(fault), headers, media_type=JSON)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, fault: RequestValidationError) -> Response:
        found = [(error["type"], tuple(error["loc"])) for error in fault.errors()]
        if ("too_long", ("body", "records")) in found:
            told = error_body("too_many_records", f"at most {MAX_RECORDS} in one push")
            return Response(told, 413, media_type=JSON)
        # Places only: the values may be personal.
        places = sorted({".".join(str(part) for part in error["loc"]) for error in fault.errors()})
        return Response(error_body("body_invalid", f"at {', '.join(places)[:500]}"), 422, media_type=JSON)

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, fault: HTTPException) -> Response:
        if fault.status_code == 400:
            # The framework's word for a body that its JSON parser gave up on.
            return Response(error_body("body_invalid", "not JSON"), 422, media_type=JSON)
        code = {404: "not_found", 405: "method_not_allowed"}.get(fault.status_code, "http_error")
        return Response(error_body(code, str(fault.detail)), fault.status_code, media_type=JSON)
