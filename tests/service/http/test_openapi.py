"""The description says what the server does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from service.api.http import libretranslate
from service.api.http.routes import routes_of
from service.api.server import SERVICES, Server
from tests.service.http.serving import ask

DOCUMENT = json.loads(Path("service/api/http/openapi.json").read_text())
CAT = {"model": "exact"}
REFUSING = {"/suggest", "/translate_file"}


def schema_of(path: str, status: str = "200", method: str = "post") -> Draft202012Validator:
    response = DOCUMENT["paths"][path][method]["responses"][status]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    (content,) = response["content"].values()
    return Draft202012Validator(content["schema"] | {"components": DOCUMENT["components"]})


def test_it_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_it_has_every_route_and_no_other() -> None:
    expected = {(route.path, route.method.lower()) for route in routes_of(SERVICES)}
    described = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    compatible = {one for one in described if one[0] in libretranslate.PATHS}
    assert described - compatible == expected
    assert {path for path, _ in compatible} == libretranslate.PATHS - REFUSING


def test_everything_is_told_in_words() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if not name.startswith("LibreTranslate"):
            assert schema["description"], name
            assert all(field["description"] for field in schema.get("properties", {}).values()), name


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/translate", {"texts": ["cat"], "returnOptions": {"scores": True, "alignment": True}}),
        ("/v1/score", {"pairs": [{"source": "cat", "target": "katu"}]}),
        ("/v1/attend", {"source": "cat", "modelSelection": CAT}),
        ("/translate", {"q": ["cat"], "source": "auto", "target": "xx", "alternatives": 1}),
        ("/detect", {"q": "cat"}),
        ("/languages", None),
        ("/frontend/settings", None),
        ("/health", None),
        ("/v1/models", None),
    ],
)
def test_answers_and_errors_are_as_described(server: Server, path: str, body: Any) -> None:
    method = "get" if body is None else "post"
    answer = ask(server, path, body)
    assert answer.status == 200
    schema_of(path, method=method).validate(answer.json)
    if body is not None:
        asked = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        Draft202012Validator(asked | {"components": DOCUMENT["components"]}).validate(body)
        schema_of(path, "default").validate(ask(server, path, {"texts": 5, "pairs": 5, "source": 5}).json)


def test_lines_are_as_described(server: Server) -> None:
    for line in ask(server, "/v1/translate:stream", {"text": "big cat", "modelSelection": CAT}).body.splitlines():
        schema_of("/v1/translate:stream").validate(json.loads(line))


def test_it_is_served(server: Server) -> None:
    answer = ask(server, "/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == DOCUMENT
