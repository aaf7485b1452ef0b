from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from training.corpus.formats.blocks import Block, align
from training.corpus.formats.descriptions import pair_descriptions, parse_descriptions
from training.corpus.formats.html_pages import parse_html
from training.corpus.formats.mallard import parse_mallard, read_mallard
from training.corpus.formats.roff import parse_roff, read_manpages
from training.corpus.text import Entry

PAGE = """.\\" note
.TH CAT 1
.SH NAME
cat \\- concatenate files
.SH OPTIONS
.PP
With no \\fBFILE\\fR,
read \\(lqstandard\\(rq input.
.TP
\\fB\\-n\\fR, \\fB\\-\\-number\\fR
number all
.B output
lines
.nf
$ verbatim
.fi
"""
GERMAN = """.TH CAT 1
.SH BEZEICHNUNG
cat \\- Dateien verketten
.SH OPTIONEN
.PP
Ohne \\fBDATEI\\fP „Standardeingabe“ lesen.
.TP\x20
\\fB\\-n\\fP, \\fB\\-\\-number\\fP
alle \\fBAusgabezeilen\\fP nummerieren
.SH ÜBERSETZUNG
Von jemandem.
"""


def test_documents_align_by_skeleton() -> None:
    english = [Block("h", "a"), Block("p", "b")]
    assert list(align(english, [Block("h", "x"), Block("p", "y"), Block("p", "more")])) == [
        Entry("a", "x"),
        Entry("b", "y"),
    ]
    assert list(align(english, [Block("p", "x"), Block("p", "y")])) == []
    assert list(align(english, [Block("h", "x")])) == []


def test_manual_pages() -> None:
    assert list(align(parse_roff(PAGE), parse_roff(GERMAN))) == [
        Entry("NAME", "BEZEICHNUNG"),
        Entry("cat - concatenate files", "cat - Dateien verketten"),
        Entry("OPTIONS", "OPTIONEN"),
        Entry("With no FILE, read “standard” input.", "Ohne DATEI „Standardeingabe“ lesen."),
        Entry("-n, --number", "-n, --number"),
        Entry("number all output lines", "alle Ausgabezeilen nummerieren"),
    ]


@pytest.mark.parametrize(
    ("german", "num_entries"),
    [(GERMAN, 6), (GERMAN.replace(".TP ", ".IP "), 0), (GERMAN.replace("number\\fP", "zahl\\fP"), 0)],
)
def test_misaligned_manual_pages_are_left_out(tmp_path: Path, german: str, num_entries: int) -> None:
    for place, page in (("en/usr/share/man/man1", PAGE), ("de/usr/share/man/de/man1", german)):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "cat.1.gz").write_bytes(gzip.compress(page.encode()))
    assert len(list(read_manpages(tmp_path / "en", tmp_path / "de", "de"))) == num_entries


def test_mallard_pages_keep_inline_tags(tmp_path: Path) -> None:
    page = (
        '<page xmlns="http://projectmallard.org/1.0/"><info><desc>{0}</desc><credit><name>x</name></credit></info>'
        '<title>{1}</title><p>{2} <gui style="menu">{3}</gui> &amp; <key>F1</key>.</p></page>'
    )
    for code, texts in (("C", ("One", "Two", "Press", "Menu")), ("de", ("Eins", "Zwei", "Drücke", "Menü"))):
        (tmp_path / f"help/{code}/x").mkdir(parents=True)
        (tmp_path / f"help/{code}/x/a.page").write_text(page.format(*texts))
    assert list(read_mallard(tmp_path, "de")) == [
        Entry("One", "Eins"),
        Entry("Two", "Zwei"),
        Entry(
            'Press <gui style="menu">Menu</gui> &amp; <key>F1</key>.',
            'Drücke <gui style="menu">Menü</gui> &amp; <key>F1</key>.',
        ),
    ]


def test_mallard_pages_declare_no_entities() -> None:
    with pytest.raises(ValueError, match="undefined entity"):
        parse_mallard(b'<!DOCTYPE page [<!ENTITY a "aa">]><page><p>&a;</p></page>')


def test_html_pages() -> None:
    page = (
        b"<html><head><title>no</title></head><body><h1>A <b>b</b></h1><ul><li>c &amp; d<p>e</p></li></ul><pre>no</pre>"
    )
    assert parse_html(page + b"<p>f<br>g</p></body></html>") == [
        Block("body/h1", "A b"),
        Block("body/ul/li", "c & d"),
        Block("body/ul/li/p", "e"),
        Block("body/p", "f g"),
    ]


def test_package_descriptions() -> None:
    text = (
        "Package: a\nDescription-md5: 0a1b\nDescription-de: Kurz\n"
        " Erste Zeile\n geht weiter.\n .\n * Liste\n .\n Ende.\n"
        "\nPackage: b\nDescription-md5: 2c\nDescription-de: Nur kurz\n"
    )
    assert parse_descriptions(text, "de") == {
        "0a1b": ["Kurz", "Erste Zeile geht weiter.", "", "Ende."],
        "2c": ["Nur kurz", ""],
    }
    english = "Description-md5: 2c\nDescription-en: Short only\n"
    assert list(pair_descriptions(english, text, "de")) == [Entry("Short only", "Nur kurz"), Entry("", "")]


def test_korean_lines_end_within_words() -> None:
    text = (
        "Package: a\nDescription-md5: 0a\nDescription-ko: 짧은\n 여러 줄의 설\n 명이 있는 글.\n .\n"
        " 한 줄의\n 설명이 있다.\n\nPackage: b\nDescription-md5: 0b\nDescription-ko: 긴 설명이 있는 것\n"
    )
    assert parse_descriptions(text, "ko")["0a"] == ["짧은", "여러 줄의 설명이 있는 글.", "한 줄의 설명이 있다."]
