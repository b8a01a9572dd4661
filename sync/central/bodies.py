"""Bodies that a route reads itself, in a thread, where the framework would read them between all requests."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

JSON: Final = "application/json"
ModelT = TypeVar("ModelT", bound=BaseModel)


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
