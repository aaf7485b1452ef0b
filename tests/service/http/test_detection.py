from __future__ import annotations

import pytest

from service.api.http.libretranslate.detection import Candidate, detect
from service.api.http.libretranslate.languages import name_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The file could not be opened.", "en"),
        ("파일을 열 수 없습니다.", "ko"),
        ("Die Datei konnte nicht geöffnet werden.", "de"),
        ("O arquivo não pôde ser aberto.", "pt-BR"),
    ],
)
def test_a_sentence_is_known(text: str, language: str) -> None:
    best = detect(text, ["en", "ko", "de", "pt-BR"])[0]
    assert best.language == language
    assert best.confidence > 80


def test_only_what_is_served_is_found() -> None:
    assert {found.language for found in detect("Die Datei konnte nicht geöffnet werden.", ["en", "ko"])} <= {"en", "ko"}
    assert detect("Die Datei", ["de", "xx"]) == [Candidate("de", 100.0)]


@pytest.mark.parametrize(("text", "languages"), [("123 %", ["en", "ko"]), ("", ["en"]), ("katu", ["xx"])])
def test_what_cannot_be_known_is_not_believed(text: str, languages: list[str]) -> None:
    assert detect(text, languages) == [Candidate(languages[0], 0.0)]


def test_names() -> None:
    assert [name_of(code) for code in ("fa", "nn", "pt-BR", "zh-Hant", "xx")] == [
        "Persian",
        "Norwegian Nynorsk",
        "Portuguese (BR)",
        "Chinese (Hant)",
        "xx",
    ]
