from __future__ import annotations

import time

import pytest

from training.corpus.cleaning import clean, duplicate_key, fault, placeholders, template
from training.corpus.text import Entry


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("_File", "File"),
        ("Save &As…", "Save As…"),
        ("~Edit", "Edit"),
        ("E&xit", "Exit"),
        ("Sa_ve As", "Save As"),
        ("파일(_F)", "파일"),
        ("저장(&S)...", "저장..."),
        ("Search && replace", "Search & replace"),
        ("Cut &amp; paste", "Cut & paste"),
        ("snake_case_name", "snake_case_name"),
        ("about ~50 files in ~/tmp", "about ~50 files in ~/tmp"),
        ("Open http://a.org/?a=1&b_c", "Open http://a.org/?a=1&b_c"),
        ("a %(file_name)s and {file_name}", "a %(file_name)s and {file_name}"),
        ("a <b>bold</b> word", "a bold word"),
        ("one\\ntwo\tthree  four", "one two three four"),
        ("x &lt; y", "x < y"),
        ("\u1112\u1161\u11ab", "한"),
    ],
)
def test_programming_marks_are_removed(raw: str, cleaned: str) -> None:
    assert clean(Entry(raw, "other")).source == cleaned
    assert clean(Entry("other", raw)).target == cleaned


@pytest.mark.parametrize(
    "text", ["a" * 40_000 + " &x", "." * 40_000 + "_a", "_a" * 20_000, "%" + "0" * 40_000], ids=["a", ".", "_a", "%0"]
)
def test_no_text_takes_long(text: str) -> None:
    start = time.process_time()
    placeholders(clean(Entry(text, text + "x")).source)
    assert time.process_time() - start < 2


def test_entities_end_with_a_semicolon() -> None:
    assert clean(Entry("Fi&lter", "필터(&L)")) == Entry("Filter", "필터")
    assert clean(Entry("a &lt; b &amp; M&ethod", "가 &lt; 나 &amp; 방법(&E)")) == Entry(
        "a < b & Method", "가 < 나 & 방법"
    )


def test_documents_have_no_accelerators() -> None:
    assert clean(Entry("~x and _y", "_z"), is_interface=False) == Entry("~x and _y", "_z")


def test_words_of_both_sides_are_no_accelerators() -> None:
    assert clean(Entry("Call AT&T", "AT&T anrufen")) == Entry("Call AT&T", "AT&T anrufen")
    assert clean(Entry("Set max_size", "max_size setzen")) == Entry("Set max_size", "max_size setzen")


@pytest.mark.parametrize(
    ("source", "target", "cleaned"),
    [
        ("Press <b>OK</b>.", "<b>확인</b>을 누르세요.", ("Press <b>OK</b>.", "<b>확인</b>을 누르세요.")),
        ("a<br/>b", "가<br />나", ("a b", "가 나")),
        ("<a  href='x'>a</a>", "<a href='x'>가</a>", ("<a href='x'>a</a>", "<a href='x'>가</a>")),
        ("Press <b>OK</b>.", "확인을 누르세요.", ("Press OK.", "확인을 누르세요.")),
        ("cp <file> <b>x</b>", "cp <파일> x", ("cp <file> x", "cp <파일> x")),
        ("<b>a &amp; b</b>", "<b>가 &amp; 나</b>", ("<b>a & b</b>", "<b>가 & 나</b>")),
    ],
)
def test_tags_stay_where_both_sides_have_them(source: str, target: str, cleaned: tuple[str, str]) -> None:
    assert clean(Entry(source, target)) == Entry(*cleaned)


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("Open", "열기", None),
        ("Open", "", "empty"),
        ("Open", "Open", "identical"),
        ("Open", "Abrir", "script"),
        ("Открыть", "열기", "script"),
        ("Open the file with vim", "open the file with vim 을", "script"),
        ("123", "일이삼", "no letters"),
        ("x = (1 + 2) * {[]}", "x = (1 + 2) * 가", "symbols"),
        ("Copy %s to %s", "%s 복사", "placeholders"),
        ("Copy %s to %d", "%d에 %s 복사", None),
        ("Hello {name}", "안녕 {nome}", "placeholders"),
        ("Use %PRODUCTNAME", "사용", "placeholders"),
        ("word " * 20, "말", "length ratio"),
        ("word " * 24, "말 " * 9, "length ratio"),
        ("x" * 1001, "가", "too long"),
        ("translator-credits", "홍길동", "credits"),
    ],
)
def test_faults(source: str, target: str, reason: str | None) -> None:
    assert fault(Entry(source, target), "ko") == reason


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("Die Datei kann nicht geöffnet werden, weil sie leer ist.", None),
        ("The file cannot be opened because it is empty, sorry.", "language"),
        ("Datei nicht gefunden", None),
        ("Open file failed", None),  # too short to tell
    ],
)
def test_languages_are_told_apart(target: str, reason: str | None) -> None:
    assert fault(Entry("The empty file cannot be opened.", target), "de") == reason


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


def test_templates_differ_in_numbers_and_placeholders_too() -> None:
    assert template("Copy %s to 12 files!") == template("copy {name} to 7 files") != template("copy files")
