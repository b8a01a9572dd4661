"""Bodies of requests: taken in within limits, and read by their route where the framework holds up others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from kiosk.errors import CentralFault
from sync.wire import MAX_BODY_BYTES

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
JSON: Final = "application/json"
ModelT = TypeVar("ModelT", bound=BaseModel)


async def take(headers: Mapping[str, str], receive: Receive, within_s: float) -> bytes:
    """The whole body. Raises CentralFault ``body_slow``, ``body_too_large``, ``body_invalid``."""
    try:
        async with asyncio.timeout(within_s):
            return await _whole(headers, receive)
    except TimeoutError:
        raise _slow(within_s) from None


async def pass_over(receive: Receive, within_s: float) -> None:
    """Takes a body in without keeping it. Raises CentralFault ``body_slow``."""
    try:
        async with asyncio.timeout(within_s):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        raise _slow(within_s) from None


async def _whole(headers: Mapping[str, str], receive: Receive) -> bytes:
    announced = headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise CentralFault("body_too_large", f"at most {MAX_BODY_BYTES} bytes")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise CentralFault("body_invalid", "the request was cut off")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise CentralFault("body_too_large", f"at most {MAX_BODY_BYTES} bytes")
        if not message.get("more_body", False):
            return b"".join(parts)


def _slow(within_s: float) -> CentralFault:
    return CentralFault("body_slow", f"not whole within {within_s:.0f} s")


def read_body(model: type[ModelT], body: bytes) -> ModelT:
    """The body as a message. Raises RequestValidationError, as the framework does; it repeats no value."""
    try:
        return model.model_validate_json(body)
    except ValidationError as fault:
        found = fault.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from None


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """What central's description says of a body that its route reads itself."""
    schema = model.model_json_schema()
    known = schema.pop("$defs", {})
    content = {JSON: {"schema": _in_place(schema, known)}}
    return {"requestBody": {"required": True, "content": content}}


def _in_place(schema: Any, known: dict[str, Any]) -> Any:
    """A schema with what it refers to written out."""
    if isinstance(schema, list):
        return [_in_place(one, known) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _in_place(known[schema["$ref"].rpartition("/")[2]], known)
    return {name: _in_place(value, known) for name, value in schema.items()}
