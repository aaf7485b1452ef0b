"""The paths of LibreTranslate's API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from service.api.http.error import JSON
from service.api.http.exchange import Endpoint, Request
from service.api.http.libretranslate.detection import Candidate, detect
from service.api.http.libretranslate.error import error_response
from service.api.http.libretranslate.languages import name_of, served_languages
from service.api.http.libretranslate.parameters import ParameterError, Parameters
from service.api.http.libretranslate.translation import Translated, Translator
from service.api.in_process import CallFailedError, InProcess, Metadata
from service.errors import PermissionDeniedError, UnavailableError
from service.settings import Settings

_AUTO = "auto"
_FORMATS = ("text", "html")
FRONTEND_SECONDS = 1
"""How long LibreTranslate's page waits after a key before it asks."""


class LibreTranslate:
    """Answers as LibreTranslate does; every translation and every list of languages is an RPC of the caller's."""

    def __init__(self, in_process: InProcess, settings: Settings, is_ready: Callable[[], bool]) -> None:
        self._in_process = in_process
        self._settings = settings
        self._is_ready = is_ready

    def routes(self) -> Iterator[Route]:
        """For the application."""
        answers: tuple[tuple[str, str, Callable[[Parameters], Awaitable[Any]]], ...] = (
            ("POST", "/translate", self._translate),
            ("POST", "/detect", self._detect),
            ("GET", "/languages", self._languages),
            ("GET", "/frontend/settings", self._frontend_settings),
            ("GET", "/health", self._health),
            ("POST", "/suggest", _no_suggestions),
            ("POST", "/translate_file", _no_files),
        )
        for method, path, answer in answers:
            endpoint = Endpoint(_as_json(answer), error_response, self._settings.max_message_bytes)
            yield Route(path, endpoint, methods=[method])

    async def _translate(self, asked: Parameters) -> dict[str, Any]:
        settings = self._settings
        texts, is_list = asked.texts(settings.max_texts, settings.max_text_characters)
        source, target, form = asked.text("source"), asked.text("target"), asked.text("format", "text")
        num_alternatives = asked.number("alternatives", settings.max_beam_size - 1)
        if form not in _FORMATS:
            raise ParameterError(f"{form[:40]} format is not supported")
        found = None
        if source == _AUTO:
            found = (await self._detected("\n".join(texts), asked.metadata))[0]
            source = found.language
        translator = Translator(self._in_process, asked.metadata, (source, target), settings.max_texts)
        if form == "html":
            translated = await translator.documents(texts)
        else:
            translated = await translator.texts(texts, num_alternatives)
        return _answer(translated, is_list, found, has_alternatives=num_alternatives > 0)

    async def _detect(self, asked: Parameters) -> list[dict[str, Any]]:
        texts, _ = asked.texts(self._settings.max_texts, self._settings.max_text_characters)
        return [found.as_json() for found in await self._detected("\n".join(texts), asked.metadata)]

    async def _detected(self, text: str, metadata: Metadata) -> list[Candidate]:
        languages = await served_languages(self._in_process, metadata)
        if not languages:
            raise UnavailableError("no model is served now")
        return await asyncio.to_thread(detect, text, languages)

    async def _languages(self, asked: Parameters) -> list[dict[str, Any]]:
        languages = await served_languages(self._in_process, asked.metadata)
        known = sorted({*languages, *(target for targets in languages.values() for target in targets)})
        return [{"code": code, "name": name_of(code), "targets": languages.get(code, [])} for code in known]

    async def _frontend_settings(self, asked: Parameters) -> dict[str, Any]:
        try:
            languages = await served_languages(self._in_process, asked.metadata)
        except CallFailedError:  # whoever may not see them is told to bring a key
            languages = {}
        target = next((target for targets in languages.values() for target in targets), "en")
        return {
            "charLimit": self._settings.max_text_characters,
            "frontendTimeout": FRONTEND_SECONDS * 1000,
            "apiKeys": bool(self._settings.clients),
            "keyRequired": bool(self._settings.clients),
            "suggestions": False,
            "filesTranslation": False,
            "supportedFilesFormat": [],
            "language": {
                "source": {"code": _AUTO, "name": "Auto Detect"},
                "target": {"code": target, "name": name_of(target)},
            },
        }

    async def _health(self, _: Parameters) -> dict[str, Any]:
        if not self._is_ready():
            raise UnavailableError("not ready")
        return {"status": "ok"}


async def _no_suggestions(_: Parameters) -> None:
    raise PermissionDeniedError("Suggestions are disabled on this server.")


async def _no_files(_: Parameters) -> None:
    raise PermissionDeniedError("Files translation are disabled on this server.")


def _answer(
    translated: list[Translated], is_list: bool, found: Candidate | None, has_alternatives: bool
) -> dict[str, Any]:
    """Lists where the texts came as one; else what the only text has."""

    def shaped(values: list[Any]) -> Any:
        return values if is_list else values[0]

    answer = {"translatedText": shaped([one.text for one in translated])}
    if found is not None:
        answer["detectedLanguage"] = shaped([found.as_json()] * len(translated))
    if has_alternatives:
        answer["alternatives"] = shaped([list(one.alternatives) for one in translated])
    return answer


def _as_json(answer: Callable[[Parameters], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        content = json.dumps(await answer(Parameters.of(request)), ensure_ascii=False)
        return Response(content, 200, {"Cache-Control": "no-store"}, JSON)

    return respond
