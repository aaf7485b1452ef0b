"""The page's files hold together: what they name exists, both languages say the same, its policy forbids nothing of it.

What a person sees of it is tested in Chromium, by `make web-test`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import service.api.http.assets as assets_module

ASSETS = Path(assets_module.__file__).with_name("assets")
PAGE = (ASSETS / "index.html").read_text(encoding="utf-8")
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in ASSETS.glob("*.js")}
WORDS = {
    language: json.loads((ASSETS / f"words.{language}.json").read_text(encoding="utf-8")) for language in ("en", "ko")
}
MOST_LINES = 300
SENTENCE = re.compile(r'"([a-z]+(?:\.[A-Za-z]+)+)"')
BUILT = re.compile(r"error\.\d+|export\.(?:save|copy)As|kind\.\w+\.says")
"""Sentences whose names are put together when the page runs."""


def test_every_file_is_reached_from_the_page_and_exists() -> None:
    reached = set(re.findall(r'(?:src|href)="assets/([^"]+)"', PAGE))
    waiting = list(reached)
    while waiting:
        for name in re.findall(
            r'^(?:import|export) .*from "\./([^"]+)";$', SCRIPTS.get(waiting.pop(), ""), re.MULTILINE
        ):
            if name not in reached:
                reached.add(name)
                waiting.append(name)
    words = {f"words.{language}.json" for language in WORDS}
    assert reached | words | {"index.html"} == {path.name for path in ASSETS.iterdir()}


def test_modules_export_what_others_import() -> None:
    for name, text in SCRIPTS.items():
        for found in re.finditer(r'^import \{(.*?)\} from "\./(.*?)";$', text, re.MULTILINE | re.DOTALL):
            for imported in found[1].split(","):
                symbol = imported.split(" as ")[0].strip()
                exported = rf"^export (?:async )?(?:const|class|function\*?) {symbol}\b"
                assert re.search(exported, SCRIPTS[found[2]], re.MULTILINE), f"{name} imports {symbol} from {found[2]}"


def test_both_languages_say_the_same() -> None:
    english, korean = WORDS["en"], WORDS["ko"]
    assert list(english) == list(korean)
    for key, sentence in english.items():
        assert sentence, key
        assert set(re.findall(r"\{\w+\}", sentence)) == set(re.findall(r"\{\w+\}", korean[key])), key
    assert [key for key, sentence in korean.items() if not re.search("[가-힣]", sentence)] == ["map.cell"]  # signs only


def test_every_sentence_is_said_somewhere_and_every_one_that_is_said_exists() -> None:
    said = set(re.findall(r'data-words(?:-label|-placeholder)?="([^"]+)"', PAGE))
    assert said <= WORDS["en"].keys()
    groups = {key.partition(".")[0] for key in WORDS["en"]}
    for name, text in SCRIPTS.items():
        named = {key for key in SENTENCE.findall(text) if key.partition(".")[0] in groups and not key.endswith(".json")}
        assert named <= WORDS["en"].keys(), name
        said |= named
    assert {key for key in WORDS["en"].keys() - said if not BUILT.fullmatch(key)} == {"title"}


def test_elements_that_scripts_look_for_are_on_the_page() -> None:
    identities = set(re.findall(r'\bid="([^"]+)"', PAGE))
    for name, text in SCRIPTS.items():
        for identity in re.findall(r'(?:getElementById|\bfind)\("([^"]+)"\)', text):
            assert identity in identities, f"{name}: {identity}"


@pytest.mark.parametrize("name", sorted(path.name for path in ASSETS.iterdir()))
def test_nothing_is_asked_of_elsewhere_nor_parsed_as_html(name: str) -> None:
    text = (ASSETS / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) < MOST_LINES
    assert set(re.findall(r"https?://[^\s\"'`]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|cssText", text)
    assert not re.search(r"setAttribute\(\"style\"|<style|\sstyle=|<script>|\son[a-z]+=\"", text)
