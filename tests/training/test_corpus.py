from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import polib
import pytest

from training.corpus import formats
from training.corpus.cleaning import clean_text, duplicate_key, fault, placeholders
from training.corpus.command import Corpus
from training.corpus.text import Entry


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("_File", "File"),
        ("Save &As…", "Save As…"),
        ("~Edit", "Edit"),
        ("파일(_F)", "파일"),
        ("저장(&S)...", "저장..."),
        ("Cut &amp; paste", "Cut & paste"),
        ("AT&T", "ATT"),  # a rule cannot tell it from an accelerator inside a word
        ("snake_case_name", "snake_case_name"),
        ("a <b>bold</b> word", "a bold word"),
        ("one\\ntwo\tthree  four", "one two three four"),
        ("x &lt; y", "x < y"),
        ("\u1112\u1161\u11ab", "한"),
    ],
)
def test_programming_marks_are_removed(raw: str, cleaned: str) -> None:
    assert clean_text(raw) == cleaned


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("Open", "열기", None),
        ("Open", "", "empty"),
        ("Open", "Open", "identical"),
        ("Open", "Abrir", "script"),
        ("123", "일이삼", "no letters"),
        ("Copy %s to %s", "%s 복사", "placeholders"),
        ("Copy %s to %d", "%d에 %s 복사", None),
        ("Hello {name}", "안녕 {nome}", "placeholders"),
        ("Use %PRODUCTNAME", "사용", "placeholders"),
        ("word " * 20, "말", "length ratio"),
        ("x" * 1001, "가", "too long"),
    ],
)
def test_faults(source: str, target: str, reason: str | None) -> None:
    assert fault(Entry(source, target), "ko") == reason


def test_placeholders_are_counted() -> None:
    assert placeholders("%s of %s: {0} $1 %(name)s { $count }") == {
        "%s": 2,
        "{0}": 1,
        "$1": 1,
        "%(name)s": 1,
        "{$count}": 1,
    }
    assert not placeholders("100% sure, costs $ and more")


def test_duplicates_differ_in_case_space_and_final_mark() -> None:
    assert duplicate_key("Open File…") == duplicate_key("open  file") != duplicate_key("open files")


def test_gettext_catalogs_with_contexts_and_plurals(tmp_path: Path) -> None:
    directory = tmp_path / "usr/share/locale/ko/LC_MESSAGES"
    directory.mkdir(parents=True)
    catalog = polib.POFile()
    catalog.metadata = {"Content-Type": "text/plain; charset=UTF-8", "Plural-Forms": "nplurals=1; plural=0;"}
    catalog.append(polib.POEntry(msgid="Open", msgstr="열기", msgctxt="menu"))
    catalog.append(polib.POEntry(msgid="%d file", msgid_plural="%d files", msgstr_plural={0: "파일 %d개"}))
    catalog.save_as_mofile(str(directory / "x.mo"))
    assert set(formats.read_catalogs(tmp_path, "ko")) == {Entry("Open", "열기"), Entry("%d file", "파일 %d개")}
    assert list(formats.read_catalogs(tmp_path, "de")) == []


def test_chromium_locales(tmp_path: Path) -> None:
    texts = ["열기".encode(), b"", "닫기".encode()]
    offset = 12 + 6 * 4
    table = b""
    for number, text in zip((7, 8, 9), texts, strict=True):
        table += struct.pack("<HI", number, offset)
        offset += len(text)
    path = tmp_path / "ko.pak"
    path.write_bytes(struct.pack("<IB3xHH", 5, 1, 3, 0) + table + struct.pack("<HI", 0, offset) + b"".join(texts))
    assert formats.read_pak(path) == {"7": "열기", "8": "", "9": "닫기"}
    path.write_bytes(struct.pack("<IB3xHH", 4, 1, 0, 0))
    with pytest.raises(ValueError, match="pak version 4"):
        formats.read_pak(path)


def test_language_packs(tmp_path: Path) -> None:
    fluent = "-brand = Firefox\nopen = Open { $name }\n    .label = Label\nn = { $n ->\n  [one] a\n *[other] b\n }\n"
    path = tmp_path / "pack.xpi"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("localization/ko/browser/menu.ftl", fluent)
        archive.writestr("chrome/ko/locale/ko/alerts/alert.properties", "# note\nclose = \\uB2EB\\uAE30\nbad line\n")
        archive.writestr("manifest.json", "{}")
    assert formats.read_language_pack(path) == {
        "browser/menu.ftl:open": "Open { $name }",
        "browser/menu.ftl:open.label": "Label",
        "alerts/alert.properties:close": "닫기",
    }


def test_help_paragraphs(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    page = '<h1 id="hd_id1">A <em>b</em></h1><p id="par_id2">C &amp; d</p><p>no id</p><p id="bm_3">e</p>'
    (tmp_path / "text/a.html").write_text(page)
    assert formats.read_help(tmp_path) == {"text/a.html:hd_id1": "A b", "text/a.html:par_id2": "C & d"}


def test_package_descriptions() -> None:
    text = (
        "Package: a\nDescription-md5: 0a1b\nDescription-de: Kurz\n"
        " Erste Zeile\n geht weiter.\n .\n * Liste\n .\n Ende.\n"
        "\nPackage: b\nDescription-md5: 2c\nDescription-de: Nur kurz\n"
    )
    assert formats.parse_descriptions(text, "de") == {
        "0a1b": ["Kurz", "Erste Zeile geht weiter.", "", "Ende."],
        "2c": ["Nur kurz", ""],
    }
    korean = "Package: a\nDescription-md5: 0a\nDescription-ko: 짧은\n 여러 줄의 설\n 명.\n .\n 한 줄.\n"
    assert formats.parse_descriptions(korean, "ko") == {"0a": ["짧은", "", "한 줄."]}


def test_one_pair_for_each_source_with_provenance(tmp_path: Path) -> None:
    corpus = Corpus("ko")
    entries = [Entry("Open", "열기"), Entry("_Open", "여는"), Entry("open", "여는"), Entry("Close", "Close")]
    corpus.add("first", "MIT", entries, [{"name": "first", "version": "1"}])
    corpus.add("second", "GPL-2.0-or-later", [Entry("Open…", "다른"), Entry("Save", "저장")], [])
    corpus.write(tmp_path)
    assert (tmp_path / "en-ko.tsv").read_text() == (
        "source\ttarget\torigin\tlicence\nOpen\t열기\tfirst\tMIT\nSave\t저장\tsecond\tGPL-2.0-or-later\n"
    )
    datasheet = json.loads((tmp_path / "en-ko.datasheet.json").read_text())
    assert datasheet["pairs"] == 2
    assert datasheet["sources"][0]["found"] == 4
    assert datasheet["sources"][0]["dropped"] == {"identical": 1}
