"""The models that a server answers with, and which one a request means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from service.api.served_model import ServedModel
from service.bundle.manifest import LanguagePair
from service.errors import InvalidRequestError, ModelNotFoundError
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


class Models:
    """Served models by name."""

    def __init__(self, models: Iterable[ServedModel]) -> None:
        self._by_name = {model.manifest.name: model for model in sorted(models, key=lambda m: m.manifest.name)}

    def all(self) -> list[ServedModel]:
        """Every model, by name."""
        return list(self._by_name.values())

    def get(self, name: str, field: str) -> ServedModel:
        """The model of that name.

        Raises:
            ModelNotFoundError: there is none; `field` is named.
        """
        if name not in self._by_name:
            raise ModelNotFoundError(field, f"no model {name!r}; served: {', '.join(self._by_name)}")
        return self._by_name[name]

    def select(self, selection: pb.ModelSelection) -> ServedModel:
        """The model that a request means, for its languages.

        Raises:
            InvalidRequestError: a language code is malformed, or several pairs of the model fit.
            ModelNotFoundError: no served model has that name or those languages.
        """
        source = _language(selection.source_language_code, "model_selection.source_language_code")
        target = _language(selection.target_language_code, "model_selection.target_language_code")
        models = self.all()
        if selection.model:
            models = [self.get(selection.model, "model_selection.model")]
        choices = [(model, pair) for model in models for pair in model.manifest.pairs]
        fitting = [choice for choice in choices if _fits(source, choice[1].source_language)]
        if not fitting:
            known = ", ".join(sorted({pair.source_language for _, pair in choices}))
            raise ModelNotFoundError(
                "model_selection.source_language_code", f"no model translates from {source!r}; known: {known}"
            )
        reading, fitting = fitting, [choice for choice in fitting if _fits(target, choice[1].target_language)]
        if not fitting:
            known = ", ".join(sorted({pair.target_language for _, pair in reading}))
            raise ModelNotFoundError(
                "model_selection.target_language_code", f"no model translates to {target!r}; known: {known}"
            )
        model = fitting[0][0]
        return model.translating(_only([pair for one, pair in fitting if one is model], source, target))


def _language(code: str, field: str) -> str:
    if code and not _LANGUAGE.fullmatch(code):
        raise InvalidRequestError.of(field, f"{code[:40]!r} is not a BCP-47 language code such as 'en' or 'ko-KR'")
    return code


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
