"""Messages as proto3 JSON, and requests from it; what is long is done in a thread, so that no loop waits for it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import orjson
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from numpy.typing import NDArray

from service.api.http.exchange import Request
from service.api.http.routes import Route
from service.api.http.threads import Threads
from service.errors import InvalidRequestError

LONG_BYTES = 16 * 1024
MAX_DEPTH = 16
"""Of messages in a request."""
Way: TypeAlias = tuple[str | int, ...]
"""From a message to one within it, by names and indices of JSON."""
_PATH = re.compile(r"(\w+)((?:\.\w+(?:\[\d+\])?)+)")
_FAILED_FIELD = re.compile(r"Failed to parse (\w+) field: ")
_UNKNOWN = re.compile(r'has no field named "(.*?)" at "(.*?)"', re.DOTALL)


def parser(route: Route, threads: Threads) -> Callable[[Request], Message | Awaitable[Message]]:
    """Makes requests of the route's RPC: at once, or where the body is long in a thread.

    Both raise InvalidRequestError.
    """
    request_class = GetMessageClass(route.request)

    def parse(request: Request) -> Message | Awaitable[Message]:
        if len(request.body) > LONG_BYTES:
            return threads.run(_parse, request, route, request_class())
        return _parse(request, route, request_class())

    return parse


async def to_json(message: Message, threads: Threads) -> bytes:
    """On one line; fields that have their default are there, too.

    Raises:
        TooManyConversionsError: too many others are being written.
    """
    if message.ByteSize() > LONG_BYTES:
        return await threads.run(_to_json, message)
    return _to_json(message)


def _to_json(message: Message) -> bytes:
    light = type(message)()
    light.CopyFrom(message)
    # json_format takes 4 us for each number of an attention map, and a response may hold a million.
    arrays = list(_taken_arrays(light, ()))
    told = json_format.MessageToDict(light, always_print_fields_with_no_presence=True)
    for (*way, name), array in arrays:
        inner: Any = told
        for step in way:
            inner = inner[step]
        inner[name] = array
    return orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)


def _taken_arrays(message: Message, way: Way) -> Iterator[tuple[Way, NDArray[np.float32]]]:
    """Takes all arrays of floats out of a message; where in its JSON they belong."""
    for field, value in message.ListFields() if _has_arrays(message.DESCRIPTOR) else ():
        place = (*way, field.json_name)
        if _is_array(field):
            array = np.asarray(value, np.float32)
            if np.isfinite(array).all():  # others are written in words
                message.ClearField(field.name)
                yield place, array
        elif field.message_type is not None and field.is_repeated:
            for index, inner in enumerate(value):
                yield from _taken_arrays(inner, (*place, index))
        elif field.message_type is not None:
            yield from _taken_arrays(value, place)


@cache
def _has_arrays(message: Descriptor) -> bool:
    """Whether messages of that kind may hold arrays, or others that do; none of ours holds its own kind."""
    inner = (field.message_type for field in message.fields if field.message_type is not None)
    return any(map(_is_array, message.fields)) or any(map(_has_arrays, inner))


def _is_array(field: FieldDescriptor) -> bool:
    return field.is_repeated and field.type == FieldDescriptor.TYPE_FLOAT


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
