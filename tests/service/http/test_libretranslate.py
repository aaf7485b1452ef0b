"""LibreTranslate's API against the real server, also by its own client."""

from __future__ import annotations

import json
import urllib.error
from urllib.parse import urlencode

import pytest
from libretranslatepy import LibreTranslateAPI

from service.api.http.libretranslate.detection import Candidate
from service.api.server import Server
from tests.service.http.serving import Run, ask, handled

CAT = {"q": "big cat", "source": "en", "target": "xx"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_its_own_client_works(server: Server) -> None:
    client = LibreTranslateAPI(f"http://{server.http_address}")
    assert client.translate("big cat", "en", "xx") == "katu mak"
    assert client.translate("big cat", "auto", "xx") == "katu mak"
    assert client.languages() == [
        {"code": "en", "name": "English", "targets": ["en", "xx"]},
        {"code": "xx", "name": "xx", "targets": ["xx"]},
    ]
    assert client.detect("the big cat and the dog") == [{"confidence": 100.0, "language": "en"}]
    with pytest.raises(urllib.error.HTTPError) as raised:
        client.translate("big cat", "en", "zz")
    with raised.value as answer:
        assert answer.code == 400
        assert b"no model translates to 'zz'" in answer.read()


def test_texts_come_as_json_or_as_forms_one_or_many(server: Server) -> None:
    before = handled(server, "Translate", "OK")
    assert ask(server, "/translate", CAT).json == {"translatedText": "katu mak"}
    assert ask(server, "/translate", {**CAT, "q": ["cat", "", "big cat"]}).json == {
        "translatedText": ["katu", "", "katu mak"]
    }
    assert ask(server, "/translate", urlencode(CAT).encode(), headers=FORM).json == {"translatedText": "katu mak"}
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {**CAT, "q": "cat\r\nbig cat"}.items()
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    multipart = ask(server, "/translate", f"{parts}--x--\r\n".encode(), headers=headers)
    assert multipart.json == {"translatedText": "katu\nkatu mak"}
    assert ask(server, f"/translate?{urlencode(CAT)}", b"", method="POST").json == {"translatedText": "katu mak"}
    assert handled(server, "Translate", "OK") == before + 5


def test_alternatives_and_the_language_found_have_the_shape_of_the_texts(server: Server) -> None:
    asked = {**CAT, "source": "auto", "alternatives": 2}
    one = ask(server, "/translate", asked).json
    many = ask(server, "/translate", {**asked, "q": ["big cat"]}).json
    assert one["translatedText"] == "katu mak"
    assert one["detectedLanguage"] == {"confidence": 100.0, "language": "en"}
    assert 1 <= len(one["alternatives"]) <= 2
    assert "katu mak" not in one["alternatives"]
    assert many == {name: [value] for name, value in one.items()}


def test_html_keeps_its_tags_whatever_the_model_does_with_them(server: Server) -> None:
    """The model here was never told of tags."""
    html = '<p title="a > b">big <b>cat</b></p>\n<pre>big cat</pre><ul><li>cat<li>big cat</ul><!-- cat -->&nbsp;'
    answer = ask(server, "/translate", {**CAT, "q": html, "format": "html", "alternatives": 1}).json
    translated = answer["translatedText"]
    big = ask(server, "/translate", {**CAT, "q": "big"}).json["translatedText"]
    assert translated == (
        f'<p title="a > b">{big} <b>katu</b></p>\n<pre>big cat</pre><ul><li>katu<li>katu mak</ul><!-- cat -->&nbsp;'
    )
    assert answer["alternatives"] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"q": ""}, "Invalid request: missing q parameter"),
        ({"q": None}, "Invalid request: missing q parameter"),
        ({"q": []}, "Invalid request: missing q parameter"),
        ({"q": 5}, "Invalid request: q parameter is neither a string nor a list of strings"),
        ({"q": ["cat", 5]}, "Invalid request: q parameter is neither a string nor a list of strings"),
        ({"q": ["cat"] * 129}, "Invalid request: request (129) exceeds text limit (128)"),
        ({"q": "x" * 20_001}, "Invalid request: request (20001) exceeds text limit (20000)"),
        ({"source": ""}, "Invalid request: missing source parameter"),
        ({"target": None}, "Invalid request: missing target parameter"),
        ({"target": ["xx"]}, "Invalid request: target parameter is not a string"),
        ({"target": "!"}, "'!' is not a BCP-47 language code such as 'en' or 'ko-KR'"),
        ({"source": "xx", "target": "en"}, "no model translates from 'xx'; known: en"),
        ({"format": "pdf"}, "pdf format is not supported"),
        ({"alternatives": "some"}, "Invalid request: alternatives parameter is not a number"),
        ({"alternatives": [1]}, "Invalid request: alternatives parameter is not a number"),
        ({"alternatives": 8}, "Invalid request: alternatives parameter must be <= 7"),
    ],
)
def test_errors_are_told_as_libretranslate_tells_them(server: Server, change: dict[str, object], message: str) -> None:
    answer = ask(server, "/translate", {**CAT, **change})
    assert (answer.status, answer.json) == (400, {"error": message})


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"q": {"a": ' + b"[" * 100_000,
        b'{"q": "\xff"}',
        b'{"q": Infinity}',
    ],
)
def test_what_is_no_json_object_is_refused(server: Server, body: bytes) -> None:
    answer = ask(server, "/translate", body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json) == (400, {"error": "Invalid JSON format"})


def test_what_a_page_asks(server: Server) -> None:
    settings = ask(server, "/frontend/settings").json
    assert (settings["charLimit"], settings["keyRequired"]) == (20_000, False)
    assert settings["language"]["target"] == {"code": "xx", "name": "xx"}
    assert ask(server, "/health").json == {"status": "ok"}
    for path in ("/suggest", "/translate_file"):
        assert ask(server, path, {}).status == 403
    wrong = ask(server, "/translate")
    assert (wrong.status, list(wrong.json)) == (405, ["error"])


def test_a_service_that_drains_says_so(run: Run) -> None:
    with run() as server:
        server._edge.draining.set()
        refused = ask(server, "/translate", CAT)
        assert (refused.status, refused.json) == (503, {"error": "the service is shutting down"})


@pytest.mark.parametrize("name", ["q", "source", "target", "format", "api_key"])
def test_half_a_character_is_no_text(server: Server, name: str, caplog: pytest.LogCaptureFixture) -> None:
    answer = ask(server, "/translate", {**CAT, name: "\ud800 Open"})
    assert (answer.status, answer.json) == (400, {"error": "Invalid JSON format"})
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    "change",
    [
        {"target": "en"},
        {"source": "auto", "target": "en"},
        {"source": "EN-us", "target": "en-US"},
        {"source": "xx", "target": "xx", "format": "html"},
    ],
)
def test_a_language_is_translated_into_itself(server: Server, change: dict[str, object]) -> None:
    text = "The <b>big</b> cat &amp; the dog"
    asked = {**CAT, "q": text, "alternatives": 1, **change}
    one, many = ask(server, "/translate", asked).json, ask(server, "/translate", {**asked, "q": [text, text]}).json
    assert (one["translatedText"], one["alternatives"]) == (text, [])
    assert (many["translatedText"], many["alternatives"]) == ([text, text], [[], []])


@pytest.mark.parametrize(("target", "source"), [("en", "en"), ("xx", "xx"), ("zz", "xx")])
def test_the_likeliest_language_that_is_translated_is_taken(
    server: Server, monkeypatch: pytest.MonkeyPatch, target: str, source: str
) -> None:
    """A short text may look like a language that nothing is translated from."""
    found = [Candidate("xx", 60.0), Candidate("en", 40.0)]
    monkeypatch.setattr("service.api.http.libretranslate.api.detect", lambda *_: found)
    answer = ask(server, "/translate", {"q": "cat", "source": "auto", "target": target})
    if target == "zz":
        assert answer.json == {"error": f"no model translates from '{source}'; known: en"}
    else:
        assert answer.json["detectedLanguage"]["language"] == source


@pytest.mark.parametrize("target", ["en", "xx"])
def test_numbers_are_in_every_language(server: Server, target: str) -> None:
    answer = ask(server, "/translate", {"q": "123", "source": "auto", "target": target}).json
    assert answer == {"translatedText": "123", "detectedLanguage": {"confidence": 0.0, "language": target}}


def test_what_has_neither_letter_nor_digit_stays_as_it_is(server: Server) -> None:
    before = handled(server, "Translate", "OK")
    assert ask(server, "/translate", {**CAT, "q": "😀 😀"}).json == {"translatedText": "😀 😀"}
    assert handled(server, "Translate", "OK") == before
    mixed = ask(server, "/translate", {**CAT, "q": ["…", "cat", "😀"], "alternatives": 1}).json
    assert mixed["translatedText"] == ["…", "katu", "😀"]
    assert [len(others) for others in mixed["alternatives"]] == [0, 1, 0]


@pytest.mark.parametrize("body", [None, b"", b"{", b"[]"])
def test_what_get_brings_as_a_body_means_nothing(server: Server, body: bytes | None) -> None:
    for path in ("/languages", "/health", "/frontend/settings"):
        assert ask(server, path, body, method="GET", headers={"Content-Type": "application/json"}).status == 200


def test_a_body_that_is_empty_says_nothing(server: Server) -> None:
    answer = ask(server, "/detect", b"", headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json) == (400, {"error": "Invalid request: missing q parameter"})
    asked = ask(server, f"/translate?{urlencode(CAT)}", b"", headers={"Content-Type": "application/json"})
    assert asked.json == {"translatedText": "katu mak"}


def test_json_has_more_than_one_name(server: Server) -> None:
    headers = {"Content-Type": "application/vnd.api+json; charset=utf-8"}
    assert ask(server, "/translate", json.dumps(CAT).encode(), headers=headers).json == {"translatedText": "katu mak"}


def test_the_description_is_where_libretranslate_has_it(server: Server) -> None:
    assert ask(server, "/spec").json == ask(server, "/openapi.json").json
