"""The page and what it is made of, from a directory of files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PAGE = "index.html"
_HERE = Path(__file__).parent
_ASSETS, _DESCRIPTION = _HERE / "assets", _HERE / "openapi.json"
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

    def __init__(self, grpc_address: str) -> None:
        """What the page says of the service beside what the API tells: where gRPC listens."""
        self._grpc_address = grpc_address

    def routes(self) -> Iterator[Route]:
        """For the application: the page, everything else below /assets/, and what describes the API."""

        async def page(request: Request) -> Response:
            return _answer(_ASSETS / PAGE, request)

        async def asset(request: Request) -> Response:
            name = request.path_params["name"]
            path = _ASSETS / name
            if not _NAME.fullmatch(name) or path.suffix not in _TYPES or not path.is_file():
                raise HTTPException(404, "there is no such file")
            return _answer(path, request)

        async def description(request: Request) -> Response:
            return _answer(_DESCRIPTION, request)

        async def service(request: Request) -> Response:  # noqa: ARG001
            return JSONResponse({"grpcAddress": self._grpc_address}, headers={"Cache-Control": "no-cache"})

        yield Route("/", page)
        yield Route("/assets/service.json", service)
        yield Route("/assets/{name:path}", asset)
        yield Route("/openapi.json", description)
        yield Route("/spec", description)  # as LibreTranslate calls it


def _answer(path: Path, request: Request) -> Response:
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Response(content, 200, headers, _TYPES[path.suffix])
