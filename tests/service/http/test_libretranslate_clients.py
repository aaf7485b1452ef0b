"""LibreTranslate's clients where the service has a list of its own clients."""

from __future__ import annotations

import urllib.error
from collections.abc import Iterator
from hashlib import sha256

import pytest
from libretranslatepy import LibreTranslateAPI

from service.api.server import Server
from tests.conftest import Captioner
from tests.service.http.serving import Run, ask, running

TOKEN = "translator-secret"


@pytest.fixture(scope="module")
def known(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Lets in one client that may translate and do nothing else."""
    path = tmp_path_factory.mktemp("clients") / "clients.toml"
    digest = sha256(TOKEN.encode()).hexdigest()
    path.write_text(f'[clients.translator]\ntoken_sha256 = ["{digest}"]\npermissions = ["translate"]\n')
    with run(clients=str(path)) as server:
        yield server


def test_weblate_finds_the_languages_and_has_its_strings_translated(known: Server) -> None:
    """As weblate/machinery/libretranslate.py asks: for the languages without a key, for translations with JSON."""
    listed = ask(known, "/languages", headers={"Accept": "*/*", "User-Agent": "Weblate/5.17"})
    assert listed.status == 200
    assert [language["code"] for language in listed.json] == ["en", "xx"]
    for texts, expected in ((["big cat", "cat"], ["katu mak", "katu"]), (["big cat"], ["katu mak"])):
        body = {"api_key": TOKEN, "q": texts, "source": "en", "target": "xx"}
        assert ask(known, "/translate", body).json == {"translatedText": expected}
    one = {"api_key": TOKEN, "q": "big cat", "source": "en", "target": "xx"}
    assert ask(known, "/translate", one).json == {"translatedText": "katu mak"}
    wrong = ask(known, "/translate", {**one, "api_key": ""})
    assert (wrong.status, list(wrong.json)) == (403, ["error"])


def test_its_own_client_works_with_a_key_that_may_translate(known: Server) -> None:
    client = LibreTranslateAPI(f"http://{known.http_address}", api_key=TOKEN)
    assert client.translate("big cat", "en", "xx") == "katu mak"
    assert client.translate("big cat", "auto", "xx") == "katu mak"
    assert client.translate("big cat", "en", "en") == "big cat"
    assert [language["code"] for language in client.languages()] == ["en", "xx"]
    assert client.detect("the big cat and the dog")[0]["language"] == "en"


@pytest.mark.parametrize("key", [None, "guess"])
@pytest.mark.parametrize(("text", "source", "target"), [("cat", "en", "xx"), ("cat", "en", "en"), ("😀", "en", "xx")])
def test_nothing_is_translated_without_one(known: Server, key: str | None, text: str, source: str, target: str) -> None:
    client = LibreTranslateAPI(f"http://{known.http_address}", api_key=key)
    for ask_it in (lambda: client.translate(text, source, target), lambda: client.detect(text)):
        with pytest.raises(urllib.error.HTTPError) as raised:
            ask_it()
        with raised.value as answer:
            assert answer.code == 403


def test_what_everybody_may_see_is_codes_and_names(known: Server) -> None:
    assert {tuple(sorted(language)) for language in ask(known, "/languages").json} == {("code", "name", "targets")}
    assert ask(known, "/frontend/settings").json["language"]["target"] == {"code": "xx", "name": "xx"}
    assert ask(known, "/v1/models").status == 401


def test_models_that_read_pictures_have_no_languages(captioner: Captioner) -> None:
    with running(captioner.models) as server:
        assert [language["code"] for language in ask(server, "/languages").json] == ["en", "xx"]
