"""The models that a server answers with, and which one a request means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Literal

from service import request_context
from service.api.served_model import ServedModel
from service.bundle.manifest import LanguagePair
from service.errors import InvalidRequestError, ModelNotFoundError
from service.pb.seq2serve.v1 import translation_service_pb2 as pb


class ModelState(Enum):
    """What becomes of a model."""

    LOADING = "loading"
    """Being read and warmed up."""
    READY = "ready"
    """Answers requests."""
    UNLOADING = "unloading"
    """Finishes the requests that it has; new ones do not find it."""
    FAILED = "failed"
    """Its bundle cannot be served, or its engine stopped."""


_PURPOSES = {
    False: "translates text, by TranslationService",
    True: "describes pictures, by CaptionService",
}
"""By whether a model reads pictures."""
Choice = tuple[ServedModel, LanguagePair]
"""One of the things that a request may mean."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


class Models:
    """Served models by name. Changed on the event loop only; `all` may be asked on any thread."""

    def __init__(self, models: Iterable[ServedModel] = ()) -> None:
        self._by_name: Mapping[str, ServedModel] = {}
        for model in models:
            self.put(model)

    def put(self, model: ServedModel) -> None:
        """Serve a model, in place of the one of that name if there is one."""
        models = {**self._by_name, model.manifest.name: model}
        self._by_name = dict(sorted(models.items()))  # never changed, for another thread may be reading it

    def remove(self, name: str) -> None:
        """Serve a model no more."""
        self._by_name = {known: model for known, model in self._by_name.items() if known != name}

    def all(self) -> list[ServedModel]:
        """Every model, by name."""
        return list(self._by_name.values())

    def find(self, name: str) -> ServedModel | None:
        """The model of that name, if there is one."""
        return self._by_name.get(name)

    def get(self, name: str, field: str) -> ServedModel:
        """The model of that name.

        Raises:
            ModelNotFoundError: there is none; `field` is named.
        """
        model = self.find(name)
        if model is None:
            raise ModelNotFoundError(field, f"no model {name!r}; served: {', '.join(self._by_name) or 'none'}")
        return model

    def select(self, selection: pb.ModelSelection) -> ServedModel:
        """The model that a request for translation means, for its languages; hold it before anything is awaited.

        Raises:
            InvalidRequestError: a language code is malformed, several pairs of the model fit, or it reads pictures.
            ModelNotFoundError: no served model has that name or those languages.
        """
        source = _language(selection.source_language_code, "model_selection.source_language_code")
        target = _language(selection.target_language_code, "model_selection.target_language_code")
        choices = self._choices(selection, reads_images=False)
        reading = _fitting(choices, source, "source_language", "translates from")
        fitting = _fitting(reading, target, "target_language", "translates to")
        model = fitting[0][0]
        request_context.current().choose_model(model.manifest.name)
        return model.translating(_only([pair for one, pair in fitting if one is model], source, target))

    def select_captioner(self, selection: pb.ModelSelection) -> ServedModel:
        """The model that describes a picture, for the caption's language: the first of its own where none is asked for.

        Raises:
            InvalidRequestError: a language code is malformed, one is given for the picture, or the model reads text.
            ModelNotFoundError: no served model has that name or that language.
        """
        target = _language(selection.target_language_code, "model_selection.target_language_code")
        if selection.source_language_code:
            raise InvalidRequestError.of("model_selection.source_language_code", "a picture has no language")
        choices = self._choices(selection, reads_images=True)
        fitting = _fitting(choices, target, "target_language", "writes captions in")
        model = fitting[0][0]
        pairs = [pair for one, pair in fitting if one is model]
        request_context.current().choose_model(model.manifest.name)
        return model.translating(next((pair for pair in pairs if _is(target, pair.target_language)), pairs[0]))

    def _choices(self, selection: pb.ModelSelection, reads_images: bool) -> list[Choice]:
        """The models that are for such a request, or the one that it names, with all of their pairs."""
        models = self.all()
        if selection.model:
            models = [self.get(selection.model, "model_selection.model")]
        if not models:
            raise ModelNotFoundError("model_selection", "no model is served now: all are being loaded or were unloaded")
        suitable = [model for model in models if model.manifest.reads_images is reads_images]
        if selection.model and not suitable:
            raise InvalidRequestError.of("model_selection.model", f"{selection.model} {_PURPOSES[not reads_images]}")
        if not suitable:
            names = ", ".join(model.manifest.name for model in models)
            raise ModelNotFoundError("model_selection", f"no model here {_PURPOSES[reads_images]}; served: {names}")
        return [(model, pair) for model in suitable for pair in model.manifest.pairs]


def _language(code: str, field: str) -> str:
    if code and not _LANGUAGE.fullmatch(code):
        raise InvalidRequestError.of(field, f"{code[:40]!r} is not a BCP-47 language code such as 'en' or 'ko-KR'")
    return code


def _fitting(
    choices: Sequence[Choice], asked: str, side: Literal["source_language", "target_language"], verb: str
) -> list[Choice]:
    """The choices with the language asked for on that side of the pair; `verb` is what the model does with it."""
    fitting = [choice for choice in choices if _fits(asked, getattr(choice[1], side))]
    if not fitting:
        known = ", ".join(sorted({getattr(pair, side) for _, pair in choices}))
        raise ModelNotFoundError(f"model_selection.{side}_code", f"no model {verb} {asked!r}; known: {known}")
    return fitting


def _only(pairs: Sequence[LanguagePair], source: str, target: str) -> LanguagePair:
    """The one that is meant: the only one, or among several that fit that of exactly these codes."""
    exact = [pair for pair in pairs if _is(source, pair.source_language) and _is(target, pair.target_language)]
    if len(exact or pairs) == 1:
        return (exact or pairs)[0]
    field = "source" if len({pair.target_language for pair in pairs}) == 1 else "target"
    known = ", ".join(pair.name for pair in pairs)
    raise InvalidRequestError.of(
        f"model_selection.{field}_language_code", f"the model has several pairs that fit, name one: {known}"
    )


def _is(asked: str, offered: str) -> bool:
    return not asked or asked.lower() == offered.lower()


def _fits(asked: str, offered: str) -> bool:
    """Whether a model's language serves the one asked for: en serves en-US."""
    return _is(asked, offered) or asked.lower().startswith(offered.lower() + "-")
