"""The page and what it is made of, from a directory of files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PAGE = "index.html"
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")


class Assets:
    """The files, read anew whenever they are asked for: they are small, and whoever edits them sees what they did."""

    def __init__(self) -> None:
        self._directory = Path(__file__).with_name("assets")

    def routes(self) -> Iterator[Route]:
        """For the application: the page, and everything else below /assets/."""

        async def page(request: Request) -> Response:
            return self._answer(PAGE, request)

        async def asset(request: Request) -> Response:
            return self._answer(request.path_params["name"], request)

        yield Route("/", page)
        yield Route("/assets/{name:path}", asset)

    def _answer(self, name: str, request: Request) -> Response:
        path = self._directory / name
        if not _NAME.fullmatch(name) or path.suffix not in _TYPES or not path.is_file():
            raise HTTPException(404, "there is no such file")
        content = path.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return Response(content, 200, headers, _TYPES[path.suffix])
