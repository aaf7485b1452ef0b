"""The paths of LibreTranslate's API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import orjson
from starlette.responses import Response
from starlette.routing import Route

from service.api.http.error import JSON
from service.api.http.exchange import Endpoint, Request
from service.api.http.libretranslate.body import ParameterError
from service.api.http.libretranslate.detection import Candidate, detect
from service.api.http.libretranslate.error import error_response
from service.api.http.libretranslate.languages import is_known, name_of, served_languages
from service.api.http.libretranslate.parameters import Parameters
from service.api.http.libretranslate.translation import TRANSLATE, Translated, Translator
from service.api.http.refusals import Refusals
from service.api.http.threads import HttpThreads
from service.api.in_process import InProcess, Metadata
from service.api.models import Models
from service.errors import PermissionDeniedError, UnavailableError
from service.settings import Settings

_AUTO = "auto"
_FORMATS = ("text", "html")
FRONTEND_SECONDS = 1
"""How long LibreTranslate's page waits after a key before it asks."""


class LibreTranslate:
    """Answers as LibreTranslate does: translations are RPCs of the caller's, what there is may be seen by everybody."""

    def __init__(
        self,
        in_process: InProcess,
        models: Models,
        threads: HttpThreads,
        settings: Settings,
        is_ready: Callable[[], bool],
    ) -> None:
        self._in_process = in_process
        self._models = models
        self._threads = threads
        self._settings = settings
        self._is_ready = is_ready

    def routes(self, refusals: Refusals) -> Iterator[Route]:
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
            endpoint = Endpoint(self._as_json(answer), error_response, refusals, self._settings.max_message_bytes)
            yield Route(path, endpoint, methods=[method])

    async def _translate(self, asked: Parameters) -> dict[str, Any]:
        settings = self._settings
        texts, is_list = asked.texts(settings.max_texts, settings.max_text_characters)
        source, target, form = asked.text("source"), asked.text("target"), asked.text("format", "text")
        num_alternatives = asked.number("alternatives", settings.max_beam_size - 1)
        if form not in _FORMATS:
            raise ParameterError(f"{form[:40]} format is not supported")
        languages, found = served_languages(self._models), None
        if source == _AUTO:
            found = await self._language_of(texts, target, asked.metadata)
            source = found.language
        if source.lower() == target.lower() and is_known(source, languages):
            await self._check(asked.metadata)
            translated = [Translated(text) for text in texts]
        else:
            translator = Translator(
                self._in_process, self._threads.conversion, asked.metadata, (source, target), settings.max_texts
            )
            html = form == "html"
            translated = await (translator.documents(texts) if html else translator.texts(texts, num_alternatives))
        return _answer(translated, is_list, found, has_alternatives=num_alternatives > 0)

    async def _language_of(self, texts: Sequence[str], target: str, metadata: Metadata) -> Candidate:
        """Of all of them together: the likeliest that is translated; what has no letters is in every language."""
        text, languages = "\n".join(texts), served_languages(self._models)
        candidates = await self._detected(text, metadata)
        if not any(map(str.isalpha, text)) and is_known(target, languages):
            return Candidate(target, 0.0)
        return next((one for one in candidates if is_known(target, languages.get(one.language, ()))), candidates[0])

    async def _detect(self, asked: Parameters) -> list[dict[str, Any]]:
        texts, _ = asked.texts(self._settings.max_texts, self._settings.max_text_characters)
        return [found.as_json() for found in await self._detected("\n".join(texts), asked.metadata)]

    async def _detected(self, text: str, metadata: Metadata) -> list[Candidate]:
        await self._check(metadata)
        return await self._threads.detection.run(detect, text, served_languages(self._models))

    async def _check(self, metadata: Metadata) -> None:
        await self._in_process.check(TRANSLATE, metadata)

    async def _languages(self, _: Parameters) -> list[dict[str, Any]]:
        languages = served_languages(self._models)
        return [{"code": code, "name": name_of(code), "targets": targets} for code, targets in languages.items()]

    async def _frontend_settings(self, _: Parameters) -> dict[str, Any]:
        languages = served_languages(self._models).items()
        target = next(target for source, targets in languages for target in targets if target != source)
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

    def _as_json(self, answer: Callable[[Parameters], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            asked = await Parameters.read(request, self._check, self._threads.conversion)
            return Response(orjson.dumps(await answer(asked)), 200, {"Cache-Control": "no-store"}, JSON)

        return respond


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
