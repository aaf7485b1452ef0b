"""The languages that are served, as LibreTranslate lists them."""

from __future__ import annotations

from collections.abc import Mapping

from service.api.http.libretranslate.language_names import LANGUAGE_NAMES
from service.api.in_process import InProcess, Metadata
from service.api.model_administration import MAX_PAGE_SIZE
from service.pb.seq2serve.v1 import model_service_pb2 as pb

LIST_MODELS = "/seq2serve.v1.ModelService/ListModels"


async def served_languages(in_process: InProcess, metadata: Metadata) -> Mapping[str, list[str]]:
    """What each language is translated into, sorted; by ListModels, so that who may not see models learns nothing.

    Raises:
        CallFailedError: the caller may not list models, or not now.
    """
    targets: dict[str, set[str]] = {}
    token = ""
    while True:
        page = await in_process.ask(
            LIST_MODELS, pb.ListModelsRequest(page_size=MAX_PAGE_SIZE, page_token=token), metadata
        )
        assert isinstance(page, pb.ListModelsResponse)
        for pair in (pair for model in page.models for pair in model.language_pairs):
            targets.setdefault(pair.source_language_code, set()).add(pair.target_language_code)
        token = page.next_page_token
        if not token:
            return {source: sorted(targets[source]) for source in sorted(targets)}


def name_of(code: str) -> str:
    """In English; a region or script stays a code, and so does a language that is not in our list."""
    language, _, rest = code.partition("-")
    name = LANGUAGE_NAMES.get(language.lower(), language)
    return f"{name} ({rest})" if rest else name
