"""What a LibreTranslate request says: JSON, a form of either kind, or the query."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.api.http.exchange import Request
from service.api.http.libretranslate.body import KEY, ParameterError, fields_of, is_json, key_of
from service.api.http.threads import Threads
from service.api.in_process import Metadata

QUICK_BYTES = 4096
"""What is longer takes more than a millisecond or two."""


@dataclass(frozen=True)
class Parameters:
    """Of one request."""

    values: Mapping[str, Any]
    """Strings; of JSON anything."""
    is_json: bool
    metadata: Metadata
    """For RPCs; the API key is in it."""

    @classmethod
    async def read(cls, request: Request, check: Callable[[Metadata], Awaitable[None]], threads: Threads) -> Parameters:
        """All that the request says.

        Args:
            request: of any length.
            check: raises where whoever comes with these metadata may not translate; asked before a long body is read.
            threads: for long bodies.

        Raises:
            ParameterError: it cannot be understood.
        """
        if len(request.body) <= QUICK_BYTES:
            return cls._of(request)
        values = dict(reversed(request.query))
        await check(_with_key(request.metadata, key_of(request) or values.get(KEY)))
        return await threads.run(cls._of, request)

    @classmethod
    def _of(cls, request: Request) -> Parameters:
        values = dict(reversed(request.query)) | fields_of(request)  # of several the first counts
        return cls(values, is_json(request), _with_key(request.metadata, values.get(KEY)))

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


def _with_key(metadata: Metadata, key: object) -> Metadata:
    is_known = any(name == "authorization" for name, _ in metadata)
    return (
        metadata if is_known or not isinstance(key, str) or not key else (*metadata, ("authorization", f"Bearer {key}"))
    )
