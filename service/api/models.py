"""The models that a server answers with, and which one a request means."""

from __future__ import annotations

import re
from collections.abc import Iterable

from service.api.served_model import ServedModel
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
        """The model that a request means.

        Raises:
            InvalidRequestError: a language code is malformed.
            ModelNotFoundError: no served model has that name or those languages.
        """
        source = _language(selection.source_language_code, "model_selection.source_language_code")
        target = _language(selection.target_language_code, "model_selection.target_language_code")
        models = self.all()
        if selection.model:
            models = [self.get(selection.model, "model_selection.model")]
        fitting = [model for model in models if _fits(source, model.manifest.source_language)]
        if not fitting:
            known = ", ".join(sorted({model.manifest.source_language for model in models}))
            raise ModelNotFoundError(
                "model_selection.source_language_code", f"no model translates from {source!r}; known: {known}"
            )
        reading, fitting = fitting, [model for model in fitting if _fits(target, model.manifest.target_language)]
        if not fitting:
            known = ", ".join(sorted({model.manifest.target_language for model in reading}))
            raise ModelNotFoundError(
                "model_selection.target_language_code", f"no model translates to {target!r}; known: {known}"
            )
        return fitting[0]


def _language(code: str, field: str) -> str:
    if code and not _LANGUAGE.fullmatch(code):
        raise InvalidRequestError.of(field, f"{code[:40]!r} is not a BCP-47 language code such as 'en' or 'ko-KR'")
    return code


def _fits(asked: str, offered: str) -> bool:
    """Whether a model's language serves the one asked for: en serves en-US."""
    return not asked or asked.lower() == offered.lower() or asked.lower().startswith(offered.lower() + "-")
