"""What a LibreTranslate request says: JSON, a form of either kind, or the query."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from service.api.http.error import JSON
from service.api.http.exchange import Request
from service.api.in_process import Metadata
from service.errors import InvalidRequestError, ServiceError

_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
MAX_FIELDS = 10_000


class ParameterError(InvalidRequestError):
    """A parameter is missing or wrong; the message is LibreTranslate's own."""

    def __init__(self, message: str) -> None:
        ServiceError.__init__(self, message)
        self.violations = ()


@dataclass(frozen=True)
class Parameters:
    """Of one request."""

    values: Mapping[str, Any]
    """Strings; of JSON anything."""
    is_json: bool
    metadata: Metadata
    """For RPCs; the API key is in it."""

    @classmethod
    def of(cls, request: Request) -> Parameters:
        """All that the request says.

        Raises:
            ParameterError: it cannot be understood.
        """
        is_json = request.media_type == JSON
        values = _of_json(request.body) if is_json else _of_forms(request)
        return cls(values, is_json, _with_key(request.metadata, values.get("api_key")))

    def required(self, name: str) -> Any:
        """A parameter that must be there."""
        value = self.values.get(name)
        if not value:
            raise ParameterError(f"Invalid request: missing {name} parameter")
        return value

    def text(self, name: str, default: str = "") -> str:
        """One that is a string; required where there is no default."""
        value = self.values.get(name) or default or self.required(name)
        if not isinstance(value, str):
            raise ParameterError(f"Invalid request: {name} parameter is not a string")
        return value

    def texts(self, max_texts: int, max_characters: int) -> tuple[list[str], bool]:
        """The parameter q, and whether it was a list."""
        given = self.required("q")
        texts = given if isinstance(given, list) else [given]
        if not all(isinstance(text, str) for text in texts):
            raise ParameterError("Invalid request: q parameter is neither a string nor a list of strings")
        if len(texts) > max_texts:
            raise ParameterError(f"Invalid request: request ({len(texts)}) exceeds text limit ({max_texts})")
        if not self.is_json:
            texts = ["\n".join(text.splitlines()) for text in texts]  # browsers send forms with \r\n
        for text in texts:
            if len(text) > max_characters:
                raise ParameterError(f"Invalid request: request ({len(text)}) exceeds text limit ({max_characters})")
        return texts, isinstance(given, list)

    def number(self, name: str, most: int) -> int:
        """A number from 0; 0 where it is not given."""
        given = self.values.get(name) or 0
        try:
            number = max(0, int(given))
        except (TypeError, ValueError, OverflowError):
            raise ParameterError(f"Invalid request: {name} parameter is not a number") from None
        if number > most:
            raise ParameterError(f"Invalid request: {name} parameter must be <= {most}")
        return number


def _of_json(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise ParameterError("Invalid JSON format") from None
    if not isinstance(values, dict):
        raise ParameterError("Invalid JSON format")
    return values


def _of_forms(request: Request) -> dict[str, str]:
    values = dict(reversed(request.query))  # of several the first counts
    if request.media_type == _MULTIPART:
        return values | _of_multipart(request)
    # libretranslatepy sends forms with GET, too.
    if request.media_type == _FORM:
        try:
            fields = parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError:
            raise ParameterError("Invalid request: the form cannot be read") from None
        return values | dict(reversed(fields))
    return values


def _of_multipart(request: Request) -> dict[str, str]:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode("latin-1")
    message: Message = message_from_bytes(head + request.body, policy=HTTP)
    values: dict[str, str] = {}
    for part in message.get_payload() if message.is_multipart() else ():
        assert isinstance(part, Message)
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            values.setdefault(name, content.decode(errors="replace"))
    return values


def _with_key(metadata: Metadata, key: object) -> Metadata:
    is_known = any(name == "authorization" for name, _ in metadata)
    return (
        metadata if is_known or not isinstance(key, str) or not key else (*metadata, ("authorization", f"Bearer {key}"))
    )
