"""gettext files: what is read, what is written, and what keeps its bytes."""

from __future__ import annotations

import polib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.client.catalogs.entry import Filling, Origin, State
from service.client.catalogs.errors import CatalogError
from service.client.catalogs.filling import FillingOptions
from service.client.catalogs.po import PoCatalog
from service.client.catalogs.po_text import field, quoted, unquoted
from tests.service.catalogs.fake import HEADER, FakeTranslator, filled, filled_po, po

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), max_size=120)


def body(comments: str, target: str) -> str:
    return f'{comments}msgid "Open the file"\nmsgstr "{target}"\n'


@settings(deadline=None, max_examples=30)
@given(TEXTS)
def test_a_string_survives_quoting(text: str) -> None:
    assert unquoted(quoted(text)) == text
    for is_wrapped in (True, False):
        first, *others = field("msgstr", text, is_wrapped)
        assert unquoted(first.removeprefix("msgstr ")) + "".join(map(unquoted, others)) == text


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(TEXTS.filter(bool), TEXTS, st.booleans(), st.booleans()), max_size=6, unique_by=lambda m: m[0])
)
def test_what_polib_writes_is_read_alike_and_kept(messages: list[tuple[str, str, bool, bool]]) -> None:
    catalog = polib.POFile()
    catalog.metadata = {"Language": "ko", "Content-Type": "text/plain; charset=UTF-8"}
    for source, target, is_fuzzy, is_obsolete in messages:
        flags = ["fuzzy"] if is_fuzzy else []
        catalog.append(polib.POEntry(msgid=source, msgstr=target, flags=flags, obsolete=is_obsolete))
    content = str(catalog).encode()
    read = PoCatalog(content, "test.po")
    assert read.content({}) == content
    expected = [(source, target) for source, target, _, is_obsolete in messages if not is_obsolete]
    assert [(entry.source, entry.targets[0]) for entry in read.entries] == expected


@pytest.mark.parametrize(
    ("comments", "target", "state"),
    [
        ("", "", State.EMPTY),
        ("#, fuzzy\n", "", State.EMPTY),
        ("", "파일 열기", State.CONFIRMED),
        ("#, fuzzy, c-format\n", "파일 열기", State.SUGGESTED),
        ('#, fuzzy\n#| msgid "Open"\n', "열기", State.STALE),
        ("# seq2serve: score -1.00, model fake 1, text 00000000\n#, fuzzy\n", "파일 열기", State.SUGGESTED),
    ],
)
def test_whose_a_translation_is(comments: str, target: str, state: State) -> None:
    assert po(body(comments, target)).entries[0].state is state


def test_what_is_filled_is_fuzzy_marked_and_ours_until_somebody_touches_it() -> None:
    text = filled_po(body("#: main.c:1\n#, c-format\n", ""))
    mark = next(line for line in text.splitlines() if line.startswith("# seq2serve: score -1.00, model fake 1, text "))
    assert text == f'{mark}\n#: main.c:1\n#, fuzzy, c-format\nmsgid "Open the file"\nmsgstr "가 Open the file"\n'
    assert po(text).entries[0].state is State.OURS
    assert po(text.replace("가 Open", "나 Open")).entries[0].state is State.SUGGESTED
    assert po(text.replace("fuzzy, ", "")).entries[0].state is State.CONFIRMED
    assert filled_po(text) == text
    merged = text.replace('msgid "Open the file"', '#| msgid "Open the file"\nmsgid "Open a file"')
    assert po(merged).entries[0].state is State.STALE
    again = filled_po(text, FakeTranslator({"Open the file": ["파일을 엽니다"]}), FillingOptions(refills_own=True))
    assert 'msgstr "파일을 엽니다"' in again
    assert again.count("seq2serve") == 1
    assert "previous" not in again


def test_nobodys_work_is_lost() -> None:
    edited = filled_po(body("", "")).replace("가 Open", "나 Open")
    kept = filled_po(edited, options=FillingOptions(refills_suggestions=True))
    assert '# previous translation: "나 Open the file"' in kept
    mine = body("# note\n#, fuzzy\n", "파일 여는 중")
    stale = '#, fuzzy\n#| msgid "Open"\nmsgid "Open it"\nmsgstr "열기"\n'
    assert filled_po(mine) == mine
    for text, options in ((mine, FillingOptions(refills_suggestions=True)), (stale, None)):
        old = po(text).entries[0].targets[0]
        written = filled_po(text, options=options)
        assert f'# previous translation: "{old}"\n' in written
        assert po(written).entries[0].state is State.OURS
        kept = [line.replace("#|", "# previous") for line in text.splitlines(keepends=True) if line.startswith("#")]
        assert all(line in written for line in kept)
        edited = written.replace("가 ", "나 ")
        assert po(edited).entries[0].state is State.SUGGESTED
        assert filled_po(edited) == edited


def test_everything_else_keeps_its_bytes() -> None:
    strange = (
        "# a comment alone\n\n"
        '#. extracted\n#:  odd   spacing.c:1\nmsgctxt   "menu"\nmsgid "Long "\n"cut "\n  "oddly"\n'
        'msgstr "이미"\n"번역됨"\n\n\n'
        '#, fuzzy\nmsgid "Suggested"\nmsgstr "제안"\n'
        'msgid ""\n"To do"\nmsgstr ""\n\n'
        '# about the old one\n#~ msgid "Old"\n#~ msgstr ""\n\n#~| msgid "x"\n#~ msgid "Older"\n#~ msgstr "낡음"'
    )
    written = filled_po(strange)
    before, after = strange.split('msgid ""\n"To do"\nmsgstr ""\n')
    assert written.startswith(before + "# seq2serve: ")
    assert written.endswith('#, fuzzy\nmsgid ""\n"To do"\nmsgstr "가 To do"\n' + after)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_and_character_sets_stay(newline: str) -> None:
    text = (HEADER.replace("UTF-8", "EUC-KR") + body("", "") + body('msgctxt "b"\n', "파일")).replace("\n", newline)
    catalog = PoCatalog(text.encode("euc-kr"), "test.po")
    written = catalog.content(filled(catalog).fillings).decode("euc-kr")
    assert written.count("\n") == written.count(newline) == text.count(newline) + 2
    with pytest.raises(CatalogError, match="msgconv"):
        catalog.content({0: Filling(("ç",), Origin.MODEL, -1.0, "fake")})


def test_long_texts_are_wrapped_as_gettext_does_unless_the_file_is_not() -> None:
    long = "word " * 40
    assert all(
        len(line) <= 80
        for line in filled_po(
            f'msgid "{long[:60]}"\nmsgstr ""\n', FakeTranslator({long[:59]: ["가 " * 60]})
        ).splitlines()[2:]
    )
    unwrapped = filled_po(f'msgid "{long}"\nmsgstr ""\n', FakeTranslator({long.strip(): ["나다 " * 40]}))
    assert max(map(len, unwrapped.splitlines()[2:])) > 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('msgid "a"\nmsgstr "b\n', "test.po:10: expected a string"),
        ('msgid "a"\nmsgid "b"\nmsgstr ""\n', "test.po:10: a second msgid"),
        ('msgid "a"\n\n# x\nmsgid "b"\nmsgstr ""\n', "test.po:9: a message needs"),
        ('# x\n"a"\n', "test.po:10: expected msgctxt"),
    ],
)
def test_a_broken_file_is_refused_by_line(text: str, said: str) -> None:
    with pytest.raises(CatalogError, match=said):
        PoCatalog((HEADER + text).encode(), "test.po")


def test_a_template_gets_its_header() -> None:
    template = (
        '# title\n#, fuzzy\nmsgid ""\nmsgstr ""\n"Project-Id-Version: x 1\\n"\n"Language: \\n"\n'
        '"Content-Type: text/plain; charset=CHARSET\\n"\n"Plural-Forms: nplurals=INTEGER; plural=EXPRESSION;\\n"\n\n'
        '#, c-format\nmsgid "One file"\nmsgid_plural "%d files"\nmsgstr[0] ""\nmsgstr[1] ""\n'
    )
    catalog = PoCatalog(template.encode(), "x.pot", "de-AT")
    written = catalog.content(filled(catalog, language="de").fillings)
    read = polib.pofile(written.decode())
    assert read.metadata["Language"] == "de_AT"
    assert read.metadata["Plural-Forms"] == "nplurals=2; plural=(n != 1);"
    assert read.metadata["Content-Type"] == "text/plain; charset=UTF-8"
    assert not read.metadata_is_fuzzy
    assert read[0].msgstr_plural == {0: "가 One file", 1: "가 %d files"}
