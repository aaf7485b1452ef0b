"""What the body of a LibreTranslate request says: JSON, or a form of either kind.

Whoever sends a long one is known before it is read: looking for the key in it takes a millisecond, whatever it holds.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.api.http.error import JSON
from service.api.http.exchange import Request
from service.errors import InvalidRequestError, ServiceError

_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
KEY = "api_key"
MAX_FIELDS = 100
"""Of a form; LibreTranslate knows ten."""
MAX_KEY_BYTES, MAX_PART_HEADERS, MAX_PART_HEADER_BYTES = 1000, 8, 1024
_BOUNDARY = re.compile(r"""boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)
_KEY_PART = re.compile(rb"\r\n(?:[^\r\n]{1,200}\r\n){0,8}\r\n([^\r\n]*)")
_KEY_VALUE = re.compile(rb'\s{0,8}:\s{0,8}"([^"\\]{0,1000})"')
_Scalar = str | int | float | bool | None


class ParameterError(InvalidRequestError):
    """A parameter is missing or wrong; the message is LibreTranslate's own."""

    def __init__(self, message: str) -> None:
        ServiceError.__init__(self, message)
        self.violations = ()


class _Json(msgspec.Struct):
    """What is asked for in JSON; not understood yet, and what else there is never will be."""

    q: msgspec.Raw = msgspec.Raw(b"null")
    source: msgspec.Raw = msgspec.Raw(b"null")
    target: msgspec.Raw = msgspec.Raw(b"null")
    format: msgspec.Raw = msgspec.Raw(b"null")
    alternatives: msgspec.Raw = msgspec.Raw(b"null")
    api_key: msgspec.Raw = msgspec.Raw(b"null")


_json = msgspec.json.Decoder(_Json)
_value = msgspec.json.Decoder(_Scalar | list[_Scalar])
_NESTED = object()
"""Stands for what no parameter can be."""


def is_json(request: Request) -> bool:
    """Whether it says so, as Flask understands it."""
    media_type = request.media_type
    return media_type == JSON or (media_type.startswith("application/") and media_type.endswith("+json"))


def fields_of(request: Request) -> dict[str, Any]:
    """Strings; of JSON anything. Of fields that are there twice a form's first one counts.

    Raises:
        ParameterError: it cannot be understood.
    """
    if is_json(request):
        values = {name: _understood(raw) for name, raw in msgspec.structs.asdict(_read_json(request.body)).items()}
        return {name: value for name, value in values.items() if value is not None}
    if request.media_type == _MULTIPART:
        return _of_multipart(request)
    return _of_form(request.body) if request.media_type == _FORM else {}


def key_of(request: Request) -> str | None:
    """The API key alone, as `fields_of` would give it; None: there is none, or it is written in an unusual way."""
    body = request.body
    if is_json(request):
        mark = b'"%s"' % KEY.encode()  # no string can hold it, its quotes would be escaped
        begin = body.rfind(mark)
        found = _KEY_VALUE.match(body, begin + len(mark)) if begin >= 0 else None
        return found[1].decode(errors="replace") if found else None
    if request.media_type == _MULTIPART:
        mark = b'name="%s"' % KEY.encode()
        begin = body.find(mark)
        found = _KEY_PART.match(body, begin + len(mark)) if begin >= 0 else None
        return found[1][:MAX_KEY_BYTES].decode(errors="replace") if found else None
    mark = b"&%s=" % KEY.encode()
    begin = 0 if body.startswith(mark[1:]) else body.find(mark) + 1
    if request.media_type != _FORM or not body.startswith(mark[1:], begin):
        return None
    begin += len(mark) - 1
    end = body.find(b"&", begin, begin + MAX_KEY_BYTES)
    return unquote_plus(body[begin : end if end >= 0 else begin + MAX_KEY_BYTES].decode(errors="replace"))


def _read_json(body: bytes) -> _Json:
    try:
        return _json.decode(body or b"{}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ParameterError("Invalid JSON format") from None


def _understood(raw: msgspec.Raw) -> Any:
    try:
        return _value.decode(raw)
    except msgspec.ValidationError:
        return _NESTED
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ParameterError("Invalid JSON format") from None


def _of_form(body: bytes) -> dict[str, Any]:
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise ParameterError("Invalid request: the form cannot be read") from None
    return dict(reversed(fields))


def _of_multipart(request: Request) -> dict[str, Any]:
    boundary = _BOUNDARY.search(request.headers["content-type"])
    if boundary is None:
        raise ParameterError("Invalid request: the form has no boundary")
    form = _Multipart()
    try:
        form.read((boundary[1] or boundary[2]).encode("latin-1"), request.body)
    except FormParserError:
        raise ParameterError("Invalid request: the form cannot be read") from None
    return dict(form.values)


class _Multipart:
    """Collects the parts of a form."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._num_parts = 0
        self._begin_part()

    def read(self, boundary: bytes, body: bytes) -> None:
        """All parts, within limits.

        Raises:
            FormParserError: it is no form.
            ParameterError: it has too many parts.
        """
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": lambda data, begin, end: self._name.extend(data[begin:end]),
                "on_header_value": lambda data, begin, end: self._header.extend(data[begin:end]),
                "on_header_end": self._end_header,
                "on_part_data": lambda data, begin, end: self._content.extend(data[begin:end]),
                "on_part_end": self._end_part,
            },
            max_header_count=MAX_PART_HEADERS,
            max_header_size=MAX_PART_HEADER_BYTES,
        )
        parser.write(body)
        parser.finalize()

    def _begin_part(self) -> None:
        self._num_parts += 1
        if self._num_parts > MAX_FIELDS + 1:  # the first is none
            raise ParameterError("Invalid request: the form cannot be read")
        self._name, self._header, self._disposition, self._content = bytearray(), bytearray(), b"", bytearray()

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._header)
        self._name, self._header = bytearray(), bytearray()

    def _end_part(self) -> None:
        name = parse_options_header(self._disposition)[1].get(b"name")
        if name is not None:
            self.values.setdefault(name.decode(errors="replace"), self._content.decode(errors="replace"))
