"""Placeholders, tags, access keys, ends: what a translation must keep, and how it is put back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.client.catalogs import tags
from service.client.catalogs.accelerators import put_back, style_of, taken_out, without_key
from service.client.catalogs.checks import has_words, problem
from service.client.catalogs.edges import with_ending_of
from service.client.catalogs.message import prepared, restored
from service.client.catalogs.placeholders import as_in, difference, simplified
from service.client.catalogs.plurals import PluralForms
from tests.service.catalogs.fake import po

ALL = frozenset("_&~")
LONG = "".join(chr(0xAC00 + place % 3000) + " " * (place % 7 == 0) for place in range(18_000))


@pytest.mark.parametrize(
    ("flag", "source", "good", "bad"),
    [
        ("c-format", "%s: %d", "%2$d: %1$s", "%d: %s"),
        ("c-format", "%-5s %lu%%", "%s %lu%%", "%s %u%%"),
        ("c-format", "%*d", "%*d", "%d"),
        ("python-format", "%(a)s %(b)d", "%(b)d %(a)s", "%(a)s %(c)d"),
        ("python-format", "%s %d", "%s 번 %d", "%d %s"),
        ("python-brace-format", "{0} {name!r}", "{name!r} {0}", "{0} {이름!r}"),
        ("kde-format", "%1 of %2", "%2의 %1", "%1의 %1"),
        ("qt-format", "%L1 %n", "%n %L1", "%1 %n"),
        ("javascript-format", "%s", "가 %s", "가"),
        ("", "Hello {{name}} ${x} $HOME", "$HOME ${x} {{name}}", "$HOME ${x} {{이름}}"),
        ("", "100% sure, 5 %", "100% 확실, 5 %", "100% 확실 %s"),
        ("", "%s and %s", "%s 및 %s", "%2$s 및 %1$s"),
        ("", "%-e %b", "%b %-e", "%b"),
        ("", "See https://a.org/x?y=1 or a@b.org", "a@b.org, https://a.org/x?y=1 참조", "https://a.org/x 또는 a@b.org"),
        ("", "a &lt; b", "a &lt; 나", "a < 나"),
    ],
)
def test_placeholders_are_compared_by_their_format(flag: str, source: str, good: str, bad: str) -> None:
    flags = {flag} - {""}
    assert difference(source, good, flags) is None
    assert difference(source, bad, flags) is not None


@pytest.mark.parametrize(
    ("source", "sent", "translated", "written"),
    [
        ("%s of %s", "%1$s of %2$s", "%2$s의 %1$s", "%2$s의 %1$s"),
        ("%s of %'d", "%1$s of %2$d", "%1$s, %2$d", "%s, %'d"),
        ("%'d files", "%d files", "파일 %d개", "파일 %'d개"),
        ("%s and %s", "%1$s and %2$s", "%1$s", "%1$s"),
        ("%2$s of %1$s", "%2$s of %1$s", "%1$s의 %2$s", "%1$s의 %2$s"),
        ("%.2f%% of %s", "%1$s%% of %2$s", "%2$s의 %1$s%%", "%2$s의 %1$.2f%%"),
    ],
)
def test_a_translation_shows_which_placeholder_is_which(source: str, sent: str, translated: str, written: str) -> None:
    assert simplified(source) == sent
    assert as_in(source, translated) == written


@given(st.text("%sd123$'. lfu", max_size=30))
@settings(deadline=None, max_examples=200)
def test_what_comes_back_unchanged_is_the_source(source: str) -> None:
    assert as_in(source, simplified(source)) == source


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        ("<b>Bold</b> text", "<b>굵은</b> 글", "<b>굵은<b> 글"),
        ('<a href="x">a</a> <br/>', '<br/> <a href="x">가</a>', '<br/> <a href="y">가</a>'),
        ("<i><b>a</b></i>", "<i><b>가</b></i>", "<i><b>가</i></b>"),
        ("a < b", "a < 나", "a 나"),
        ("plain", "그냥", "<b>그냥</b>"),
        ("<x/> plain", "<x/> 그냥", "<x/>/> 그냥"),
    ],
)
def test_tags_stay_whole_and_nested(source: str, good: str, bad: str) -> None:
    assert tags.difference(source, good) is None
    assert tags.difference(source, bad) is not None


@pytest.mark.parametrize(
    ("source", "plain", "korean", "german_of", "german"),
    [
        ("_File", "File", "가(_F)", "Datei", "Date_i"),
        ("Save _As…", "Save As…", "가(_A)…", "Speichern unter…", "Speichern unter…"),
        ("&Name:", "Name:", "가(&N):", "Name:", "&Name:"),
        ("E~xit", "Exit", "가(~X)", "Beenden", "~Beenden"),
        ("R_eload", "Reload", "가(_E)", "Neu laden", "N_eu laden"),
    ],
)
def test_access_keys_go_where_the_language_has_them(
    source: str, plain: str, korean: str, german_of: str, german: str
) -> None:
    label = taken_out(source, ALL)
    assert label.text == plain
    assert put_back(plain.replace(plain.rstrip(":…"), "가"), label, "ko") == korean
    expected = {"Date_i": "_Datei", "Speichern unter…": "Speichern unter…"}.get(german, german)
    written = put_back(german_of, label, "de")
    assert written.replace(label.mark, "") == german_of
    assert written.count(label.mark) == 1
    if expected == german:
        assert written == german or label.key.lower() not in german_of.lower()


@pytest.mark.parametrize("text", ["max_size", "A & B", "AT&T", "R&D", "a__b", "~/path", "&amp; x", "_A _B", "%s_x"])
def test_what_is_no_access_key_stays(text: str) -> None:
    assert taken_out(text, ALL).text == text


def test_a_key_is_taken_from_a_persons_translation() -> None:
    assert without_key("파일(_F)…", ALL) == "파일…"
    assert without_key("_Datei", ALL) == "Datei"


def test_marks_are_those_of_the_catalog() -> None:
    labels = "".join(f'msgid "{text}"\nmsgstr ""\n' for text in ("_File", "_Edit", "~Help", "set max_size", "plain"))
    assert style_of(po(labels).entries, None) == {"_"}
    assert style_of([], "&") == {"&"}


@pytest.mark.parametrize(
    ("source", "translation", "language", "written"),
    [
        ("Name:", "이름", "ko", "이름:"),
        ("Name:", "이름.", "ko", "이름:"),
        ("Name:", "Nom", "fr", "Nom\u00a0:"),
        ("Saved", "저장했습니다.", "ko", "저장했습니다"),
        ("Saved.", "저장했습니다", "ko", "저장했습니다."),
        ("Saved.", "保存しました。", "ja", "保存しました。"),
        ("Really?", "정말?", "ko", "정말?"),
        ("Open…", "열기…", "ko", "열기…"),
        ("Stop", "정지!", "ko", "정지!"),
        ("Extract to…", "추출.…", "ko", "추출…"),
        ("What?!", "뭐?!", "ko", "뭐?!"),
    ],
)
def test_final_punctuation_follows_the_source(source: str, translation: str, language: str, written: str) -> None:
    assert with_ending_of(source, translation, language) == written


def test_white_space_around_a_message_and_breaks_inside_it() -> None:
    source = "\n  The first line of a long message that was\nwrapped by hand for terminals.\n"
    message = prepared(source, ALL)
    assert message.text == "The first line of a long message that was wrapped by hand for terminals."
    written = restored(message, "가나다라 " * 15 + "마.", "ko")
    assert written.startswith("\n  가나")
    assert written.endswith("마.\n")
    assert all(len(line) <= 43 for line in written.splitlines())
    assert restored(prepared(" Open... ", ALL), "열기…", "ko") == " 열기... "


@given(st.text("ab _&~%sd\n\t:….", max_size=40))
@settings(deadline=None, max_examples=200)
def test_ends_are_those_of_the_source_whatever_comes_back(source: str) -> None:
    if source.strip():
        written = restored(prepared(source, ALL), "번역", "ko")
        assert written[: len(source) - len(source.lstrip())] == source[: len(source) - len(source.lstrip())]
        assert written.endswith(source[len(source.rstrip()) :])


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("Open", " ", "empty"),
        ("Open", "\u2047 열기", "unknown"),
        ("Open\n", "열기", "line break"),
        ("Open", "열\x01기", "control"),
        ("Open it", "열기 " * 5, "repeats"),
        ("Open it", "가나가나가나가나", "repeats"),
        ("Open", "아주 긴 번역 " * 9, "longer"),
        ("255 files", "파일 25개", "numbers"),
        ("open the file", "open the file", "not translated"),
        ("could not open", "could open", "not translated"),
        ("Vendor data", "endora 데이터", "Latin letters"),
        ("Open (it)", "(열기", "left open"),
        ('Open "it"', '"열기', "left open"),
        ("Factory data", "팩터y 데이터", "Latin letters"),
    ],
)
def test_bad_translations_are_told(source: str, target: str, said: str) -> None:
    assert said in (problem(source, target, set(), "ko") or "")


def test_good_translations_pass() -> None:
    assert problem("Open 3 files", "파일 3개 열기", set(), "ko") is None
    assert problem("WebDAV", "WebDAV", set(), "ko") is None
    assert problem("Television and Wi-Fi", "TV 및 Wi-Fi", set(), "ko") is None
    assert problem("the menu", "das Menü", set(), "de") is None
    assert not has_words("%s: %d — <b>{0}</b>")
    assert has_words("%s files")


def test_plural_forms_decide_which_source_a_form_has() -> None:
    def sources(language: str, is_same: bool) -> list[str]:
        forms = PluralForms.of_language(language)
        return [forms.source_of(form, "one", "many", is_same) for form in range(len(forms.numbers))]

    assert sources("ko", True) == ["many"]
    assert sources("de", False) == ["one", "many"]
    assert sources("fr", False) == ["many", "many"]
    assert sources("fr", True) == sources("pt-BR", True) == ["one", "many"]
    assert sources("ru", False) == ["many", "many", "many"]
    assert sources("sl", False) == ["many"] * 4
    assert PluralForms.parse("nplurals=2; plural=n>1;").numbers[0] == {0, 1}
    for bad in ("nplurals=1", "nplurals=1; plural=n;", "nplurals=2; plural=__import__('os');", "nplurals=0; plural=0;"):
        with pytest.raises(ValueError, match="Plural-Forms"):
            PluralForms.parse(bad)


@pytest.mark.parametrize("text", ["a" * 20_000, "a." * 10_000, "%" + "0" * 20_000, "a" + " " * 20_000 + "b", LONG])
def test_no_text_takes_long(text: str) -> None:
    begun = time.process_time()
    for flags in ((), ("c-format",), ("python-format",)):
        assert problem(text, text, flags, "ko") in (None, "not translated")
    assert time.process_time() - begun < 2
