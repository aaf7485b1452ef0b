"""Messages as proto3 JSON, and requests from it; what is long is done in a thread, so that no loop waits for it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from service.api.http.exchange import Request
from service.api.http.routes import Route
from service.errors import InvalidRequestError

LONG_BYTES = 16 * 1024
MAX_DEPTH = 16
"""Of messages in a request."""
_PATH = re.compile(r"(\w+)((?:\.\w+(?:\[\d+\])?)+)")
_FAILED_FIELD = re.compile(r"Failed to parse (\w+) field: ")
_UNKNOWN = re.compile(r'has no field named "(.*?)" at "(.*?)"', re.DOTALL)


def parser(route: Route) -> Callable[[Request], Message | Awaitable[Message]]:
    """Makes requests of the route's RPC: at once, or where the body is long in a thread.

    Both raise InvalidRequestError.
    """
    request_class = GetMessageClass(route.request)

    def parse(request: Request) -> Message | Awaitable[Message]:
        if len(request.body) > LONG_BYTES:
            return asyncio.to_thread(_parse, request, route, request_class())
        return _parse(request, route, request_class())

    return parse


async def to_json(message: Message) -> str:
    """On one line; fields that have their default are there, too."""
    if message.ByteSize() > LONG_BYTES:
        return await asyncio.to_thread(_to_json, message)
    return _to_json(message)


def _to_json(message: Message) -> str:
    return json_format.MessageToJson(
        message, indent=None, ensure_ascii=False, always_print_fields_with_no_presence=True
    )


def _parse(request: Request, route: Route, message: Message) -> Message:
    try:
        if route.is_body_whole:
            if request.query:
                raise InvalidRequestError.of(request.query[0][0], "fields belong into the body, not the query")
            json_format.Parse(_text_of(request.body), message, max_recursion_depth=MAX_DEPTH)
        json_format.ParseDict(_fields_of(request), message)
    except json_format.ParseError as error:
        raise _mistake(str(error), route.request) from None
    return message


def _text_of(body: bytes) -> str:
    if not body.lstrip().startswith(b"{"):
        raise InvalidRequestError.of("body", "is not a JSON object")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise InvalidRequestError.of("body", "is not valid UTF-8") from None


def _fields_of(request: Request) -> dict[str, Any]:
    """What path and query say."""
    fields: dict[str, Any] = {}
    for name, value in (*request.path_parameters.items(), *request.query):
        if name in fields:
            raise InvalidRequestError.of(name, "is given more than once")
        fields[name] = value
    return fields


def _mistake(told: str, request: Descriptor) -> InvalidRequestError:
    """What json_format says, with the field's path apart."""
    unknown = _UNKNOWN.search(told)
    if unknown is not None:
        name, place = unknown.groups()
        return InvalidRequestError.of(f"{place}.{name}".removeprefix(f"{request.name}."), "there is no such field")
    if told.startswith("Failed to load JSON: "):
        return InvalidRequestError.of("body", f"is not JSON: {told.removeprefix('Failed to load JSON: ')}")
    end = max((match.end() for match in _FAILED_FIELD.finditer(told)), default=0)
    places = [match[2].lstrip(".") for match in _PATH.finditer(told) if match[1] == request.name]
    path = ".".join(_FAILED_FIELD.findall(told[:end]))
    return InvalidRequestError.of(max([path, *places], key=len) or "body", told[end:].rstrip("."))
