"""XLIFF and JSON."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from service.client.catalogs.entry import State
from service.client.catalogs.errors import CatalogError
from service.client.catalogs.filling import FillingOptions
from service.client.catalogs.json_catalog import JsonCatalog
from service.client.catalogs.xliff import XliffCatalog
from tests.service.catalogs.fake import FakeTranslator, filled

FIRST = """<?xml version="1.0"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
 <file source-language='en' target-language='ko' datatype="plaintext" original="x"><body>
  <trans-unit   id="a"><source>Hello <x id="1"/> &amp; you</source></trans-unit>
  <trans-unit id="b">
   <source>Done</source>
   <target state="translated">완료 &#x263A;</target>
   <alt-trans><target>끝</target></alt-trans>
  </trans-unit>
  <trans-unit id="c"><source>New</source><target state="new">New</target></trans-unit>
  <trans-unit id="d"><source>Idea</source><target state="needs-review-translation">발상</target></trans-unit>
  <trans-unit id="e" translate="no"><source>x</source></trans-unit>
  <trans-unit id="f"><source>a <ph id="1">%s</ph></source></trans-unit>
  <trans-unit id="g"><source>&lt;b&gt;Bold&lt;/b&gt;</source><target/></trans-unit>
 </body></file>
</xliff>
"""
SECOND = """<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en" trgLang="ko">
 <file id="f"><unit id="u">
  <segment id="s1">
    <source>Hello <pc id="1">you</pc></source>
  </segment>
  <segment id="s2" state="reviewed"><source>Done</source><target>완료</target></segment>
  <segment id="s3" state="initial"><source>Idea</source><target>발상</target></segment>
 </unit></file>
</xliff>
"""


def test_xliff_1_is_filled_in_place() -> None:
    catalog = XliffCatalog(FIRST.encode(), "x.xlf")
    assert catalog.content({}) == FIRST.encode()
    states = [State.EMPTY, State.CONFIRMED, State.EMPTY, State.SUGGESTED, State.EMPTY, State.EMPTY, State.EMPTY]
    assert [entry.state for entry in catalog.entries] == states
    translate = FakeTranslator({"<b>Bold</b>": ["<b>굵게</b>"], 'Hello <x id="1"/> & you': ['<x id="1"/> & 안녕']})
    outcome = filled(catalog, translate)
    written = catalog.content(outcome.fillings).decode()
    ElementTree.fromstring(written)
    said = 'state="needs-review-translation" state-qualifier="mt-suggestion"'
    assert f'</source><target {said}><x id="1"/> &amp; 안녕</target><note from="seq2serve">seq2serve: score' in written
    assert f"<target {said}>가 New</target>" in written
    assert f"<target {said}>&lt;b&gt;굵게&lt;/b&gt;</target>" in written
    assert FIRST[FIRST.index('  <trans-unit id="b"') : FIRST.index('  <trans-unit id="c"')] in written
    assert FIRST[FIRST.index('  <trans-unit id="d"') : FIRST.index('  <trans-unit id="g"')] in written
    assert sorted(outcome.problems) == [4, 5]
    again = XliffCatalog(written.encode(), "x.xlf")
    assert [again.entries[index].state for index in (0, 2, 6)] == [State.OURS] * 3
    redone = again.content(
        filled(again, translate, FillingOptions(refills_own=True, refills_suggestions=True)).fillings
    )
    assert redone.count(b"seq2serve: ") == 4
    assert "previous translation: 발상".encode() in redone


def test_xliff_2_is_filled_in_place() -> None:
    catalog = XliffCatalog(SECOND.encode(), "x.xliff")
    assert [entry.state for entry in catalog.entries] == [State.EMPTY, State.CONFIRMED, State.SUGGESTED]
    outcome = filled(catalog, FakeTranslator({'Hello <pc id="1">you</pc>': ['<pc id="1">여러분</pc> 안녕']}))
    written = catalog.content(outcome.fillings).decode()
    assert '</source>\n    <target><pc id="1">여러분</pc> 안녕</target>\n  </segment>' in written
    assert SECOND[SECOND.index('  <segment id="s2"') :] in written
    again = XliffCatalog(written.encode(), "x.xliff")
    assert again.entries[0].state is State.OURS
    assert XliffCatalog(written.replace("여러분", "당신").encode(), "x").entries[0].state is State.SUGGESTED
    assert XliffCatalog(written.replace('"initial"', '"final"').encode(), "x").entries[0].state is State.CONFIRMED


def test_xliff_says_its_language_once_it_has_translations() -> None:
    catalog = XliffCatalog(SECOND.replace(' trgLang="ko"', "").encode(), "x.xlf", "ko-KR")
    assert catalog.language == "ko-KR"
    assert b'trgLang="ko-KR"' in catalog.content(filled(catalog).fillings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<xliff", "x.xlf:1: is not well-formed"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><xliff version="1.2"/>', "DOCTYPE"),
        ("<tmx/>", "not XLIFF"),
        (FIRST.replace("</file>", '</file><file target-language="de"/>'), "several target languages"),
    ],
)
def test_xliff_that_cannot_be_read_is_refused(text: str, said: str) -> None:
    with pytest.raises(CatalogError, match=said):
        XliffCatalog(text.encode(), "x.xlf")


def test_json_keeps_what_is_there_and_adds_the_rest() -> None:
    source = {
        "@metadata": {"authors": ["A"]},
        "menu": {"open": "Open", "items_one": "{{count}} item", "items_other": "{{count}} items"},
        "icu": "{n, plural, one {x} other {y}}",
        "list": ["One", "Two"],
        "number": 3,
    }
    there = {"extra": "남음", "menu": {"open": "여는 중"}, "@metadata": {"authors": ["나"]}}
    translated = json.dumps(there, ensure_ascii=False, indent=3).encode() + b"\n"
    catalog = JsonCatalog(json.dumps(source).encode(), translated, "en.json", "ko")
    assert catalog.content({}) == translated
    outcome = filled(catalog)
    assert {catalog.entries[index].name: reason for index, reason in outcome.problems.items()} == {
        "menu.items_one": "a plural form that the language does not have",
        "icu": "an ICU message with variants",
    }
    written = catalog.content(outcome.fillings).decode()
    assert written.startswith('{\n   "')
    assert written.endswith("}\n")
    assert json.loads(written) == {
        "@metadata": {"authors": ["나"]},
        "menu": {"open": "여는 중", "items_other": "가 {{count}} items"},
        "list": ["가 One", "가 Two"],
        "number": 3,
        "extra": "남음",
    }


def test_chromes_messages_keep_their_descriptions() -> None:
    source = {"a": {"message": "Open", "description": "A verb", "placeholders": {"x": {"content": "$1"}}}}
    catalog = JsonCatalog(json.dumps(source).encode(), b"{}", "messages.json", "ko")
    written = json.loads(catalog.content(filled(catalog).fillings))
    assert written == {"a": {**source["a"], "message": "가 Open"}}


def test_xliff_declared_in_another_encoding_is_refused() -> None:
    with pytest.raises(CatalogError, match="ISO-8859-1"):
        XliffCatalog(FIRST.replace("?>", ' encoding="ISO-8859-1"?>', 1).replace("완료", "").encode(), "x.xlf")
    assert XliffCatalog(FIRST.replace("?>", ' encoding="utf-8"?>', 1).encode(), "x.xlf").entries


def test_json_leaves_no_source_text_and_no_work_of_people_behind() -> None:
    source = {"page": {"title": "Open", "description": "The page"}, "a": "Text", "b": {"c": "Name"}}
    target = {"a": {"n": "사람"}, "b": "사람"}
    catalog = JsonCatalog(json.dumps(source).encode(), json.dumps(target).encode(), "en.json", "ko")
    assert [bool(entry.problem) for entry in catalog.entries] == [False, False, True, True]
    outcome = filled(catalog, FakeTranslator({"The page": [""]}))
    assert json.loads(catalog.content(outcome.fillings)) == {"page": {"title": "가 Open"}, **target}
