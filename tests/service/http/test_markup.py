from __future__ import annotations

import re
from collections import Counter
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.http.libretranslate.markup import Paragraph, joined, paragraphs

PIECES = [
    "<b>",
    "</b>",
    "<p>",
    "</p>",
    "<br/>",
    "<img src='x>y'>",
    "<code>",
    "</code>",
    "<!--",
    "-->",
    "<",
    ">",
    '"',
    "'",
    "&",
]
PIECES += [
    "&amp;",
    "&#39;",
    "<span translate='no'>",
    "</span>",
    "<script>",
    "</script>",
    " ",
    "\n",
    "word",
    "<a href=",
    "&lt;b&gt;",
]
TAG = re.compile(r"""</?[A-Za-z](?:[^<>"']|"[^"]*"|'[^']*')*>""")


def texts(html: str) -> list[str]:
    return [part.text for part in paragraphs(html) if part.text]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("plain text", ["plain text"]),
        ("<p>One.</p><p>Two.</p>", ["One.", "Two."]),
        ("<p>One <b>bold</b> word</p>", ["One <b>bold</b> word"]),
        ("<b><i>all of it</i></b>", ["all of it"]),
        ("<b>one</b> and <b>two</b>", ["<b>one</b> and <b>two</b>"]),
        ("a<br>b<hr>c", ["a", "b", "c"]),
        ("before<pre>left <b>alone</b></pre>after", ["before", "after"]),
        ("<script>if (a < b) {}</script>x<style>p{}</style>", ["x"]),
        ("x<!-- <p>no</p> -->y", ["x", "y"]),
        ("x<!-- never closed", ["x"]),
        ("<!DOCTYPE html><?xml x?>x", ["x"]),
        ('<div translate="no">a<div>b</div>c</div>d', ["d"]),
        ('<span class="x notranslate">a</span> b', ["b"]),
        ("Don&#39;t &quot;do&quot; &eacute; &lt;b&gt; &amp;amp;", ['Don\'t "do" é &lt;b&gt; &amp;amp;']),
        ("one\n   line", ["one line"]),
        ("1 < 2 and 3 > 2", ["1 < 2 and 3 > 2"]),
        ("<p>  </p><p>12&nbsp;%</p>", []),
        ('<a title="2 > 1">link</a>', ["link"]),
        ("<a href='never closed", ["<a href='never closed"]),
    ],
)
def test_what_there_is_to_translate(html: str, expected: list[str]) -> None:
    assert texts(html) == expected


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_put_together_it_is_the_document(html: str) -> None:
    parts = paragraphs(html)
    again = joined(parts, [part.text for part in parts if part.text])
    assert "".join(unescape(again).split()) == "".join(unescape(html).split())


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_pieces_keep_every_tag(html: str) -> None:
    for part in paragraphs(html):
        pieces = part.parts()
        translated = joined(pieces, ["wort" for piece in pieces if piece.text])
        assert Counter(TAG.findall(translated)) == Counter(TAG.findall(part.text)), part


@pytest.mark.parametrize(
    ("translation", "is_whole"),
    [
        ("<b>zwei</b> eins", True),
        ("zwei eins", False),
        ("<b>zwei</b> <b>eins</b>", False),
        ("</b>zwei<b> eins", False),
        ("<b>zwei</b> eins<script>", False),
    ],
)
def test_a_translation_is_whole_with_its_tags(translation: str, is_whole: bool) -> None:
    assert Paragraph("", "eins <b>zwei</b>", "").is_whole(translation) is is_whole


@pytest.mark.parametrize(
    "html", ["<" * 20_000, "<a " * 7000, "<!--" * 5000, "<code" * 4000, "<b>" * 6000, "<a '" * 5000]
)
def test_long_nonsense_is_put_together_again(html: str) -> None:
    parts = paragraphs(html)
    assert joined(parts, [part.text for part in parts if part.text]).replace(" ", "") == html.replace(" ", "")
