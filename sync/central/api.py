"""Central's routes under ``/v1``. ``Gate`` stands before them; the work is done in the other modules."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from kiosk.errors import KioskError
from kiosk.values import Mode
from sync.central import acquire, changes, enrol, following, intake, poll
from sync.central.gate import Caller, Gate, error_body, status_of
from sync.central.state import Central
from sync.wire import (
    MAX_CURSOR,
    ChangesAnswer,
    EnrolAnswer,
    EnrolRequest,
    ErrorAnswer,
    HealthAnswer,
    JournalAnswer,
    JournalRequest,
    PollAnswer,
    PollRequest,
    RightsAnswer,
    RightsRequest,
)

JSON: Final = "application/json"
ERRORS: Final[dict[int | str, dict[str, object]]] = {
    status: {"model": ErrorAnswer} for status in (400, 401, 403, 404, 410, 413, 422, 503)
}

logger = logging.getLogger(__name__)


def make_app(central: Central, hub: poll.Hub | None = None) -> FastAPI:
    """Central as an ASGI application. The caller closes ``central`` when it is done."""
    hub = hub or poll.Hub()
    ticker = poll.Ticker(central)
    told = poll.Told()
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
    app.add_middleware(Gate, central=central)
    _add_fault_handlers(app)

    @app.post("/v1/enrol", response_model=EnrolAnswer, responses=ERRORS)
    async def post_enrol(body: EnrolRequest) -> Response:
        """Makes a machine a kiosk, on a one-time ticket."""
        answer = await run_in_threadpool(enrol.enrol, central, body)
        ticker.hasten()
        return _json(answer)

    @app.post("/v1/journal", response_model=JournalAnswer, responses=ERRORS)
    async def post_journal(body: JournalRequest, request: Request) -> Response:
        """Takes journal records in; what left the counter is never refused."""
        return _json(await run_in_threadpool(intake.push, central, _caller(request).kiosk, body))

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
                told.remember(caller.kiosk, answer, central.now())
                return _json(answer)
            await hub.wait(min(left, poll.WAKE_S))

    @app.get("/v1/changes", response_model=ChangesAnswer, responses=ERRORS)
    async def get_changes(request: Request, cursor: str = Query("", max_length=MAX_CURSOR)) -> Response:
        """One page of what changed behind the cursor."""
        follower = await run_in_threadpool(_follower, central, _caller(request))
        return _json(await run_in_threadpool(changes.page, central, follower, cursor))

    @app.get("/v1/health", response_model=HealthAnswer)
    async def get_health() -> Response:
        """Unsigned: says only that something like central is here."""
        return _json(HealthAnswer(ok=True, time_ms=int(central.clock() * 1000)))

    return app


def _check_current(central: Central, caller: Caller, *, even_frozen: bool = False) -> int:
    with central.database.read() as connection:
        return poll.current_point(connection, caller.kiosk, caller.gen, even_frozen=even_frozen)


def _follower(central: Central, caller: Caller) -> following.Follower:
    with central.database.read() as connection:
        point_id = poll.current_point(connection, caller.kiosk, caller.gen, even_frozen=True)
        return following.follower(connection, caller.kiosk, point_id)


async def _tick_forever(ticker: poll.Ticker) -> None:
    while True:
        try:
            await run_in_threadpool(ticker.tick)
        except Exception:
            logger.exception("a tick failed; the next one tries again")
        await asyncio.sleep(poll.TICK_S)


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type=JSON)


def _add_fault_handlers(app: FastAPI) -> None:
    @app.exception_handler(KioskError)
    async def on_fault(_: Request, fault: KioskError) -> Response:
        if status_of(fault) >= 500:
            logger.error("%s", fault)
        return Response(error_body(fault.code, fault.message), status_of(fault), media_type=JSON)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, fault: RequestValidationError) -> Response:
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
