from __future__ import annotations

import re
from collections import Counter
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.http.libretranslate.elements import cuts
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
    "<li translate=no>",
    "<ul>",
    "</ul>",
    "<div class=notranslate>",
    "</div>",
    "<br translate=no>",
    "<kept0/>",
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
        ('<span class="x notranslate">a</span> b', ["<kept0/> b"]),
        ("<span class=notranslate>a</span> b", ["<kept0/> b"]),
        ("<p translate=no>a</p>b", ["b"]),
        ('<p title="a translate=no">b</p>', ["b"]),
        ('<p class="x-notranslate" data-translate="no">b</p>', ["b"]),
        ('<p>One.</p><br translate="no"><p>Two.</p>', ["One.", "Two."]),
        ('One.<hr class="notranslate">Two.<input translate="no">Three.', ["One.", "Two.", "Three."]),
        ('<script>var s = "<script>";</script><p>One.</p>', ["One."]),
        ('<div translate="no"><script>"</div>"</script>a</div>b', ["b"]),
        ("<style>a > b {} </p></style>x<textarea><p></textarea>y", ["x", "y"]),
        ('<ul><li translate="no">a<li>b<ul><li translate="no">c</ul>d</ul>e', ["b", "d", "e"]),
        ('<p translate="no">a<p>b', ["b"]),
        ('<div><p translate="no">a <i>b</i></div>c', ["c"]),
        ('<dl><dt translate="no">a<dd>b</dl>c', ["b", "c"]),
        ('<table><tr><td translate="no">a<td>b<tr translate="no"><td>c<tr><td>d</table>e', ["b", "d", "e"]),
        ('<table><tr><td translate="no"><table><tr><td>a</table>b</td><td>c</table>', ["c"]),
        ('<b><div translate="no">a</b> b</div>c', ["c"]),
        ("<svg><path/><title>a</title></svg>b", ["b"]),
        ("<p>Run <code>ls <b>-l</b></code> or <kbd>x</kbd>.</p>", ["Run <kept0/> or <kept1/>."]),
        ("<p><code>ls</code></p><kept0/>", []),
        ("a <code>b</code> c <kept0/>", ["a", "c"]),
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


def test_what_is_kept_within_a_sentence_comes_back_in_its_place() -> None:
    [part, _] = paragraphs("<p>Run <code>ls <b>-l</b></code> now.</p>")[-2:]
    assert part.is_whole("Jetzt <kept0/> aufrufen.")
    assert part.with_translation("Jetzt <kept0/> aufrufen.").startswith("Jetzt <code>ls <b>-l</b></code> aufrufen.")
    for broken in ("Jetzt aufrufen.", "<kept0/> <kept0/>", "<kept1/>"):
        assert not part.is_whole(broken)
    pieces = part.parts()
    repaired = joined(pieces, ["Rufe", "auf."])
    assert part.with_translation(repaired).startswith("Rufe <code>ls <b>-l</b></code> auf.")


LONG = ["<" * 20_000, "<a " * 7000, "<!--" * 5000, "<code" * 4000, "<b>" * 6000, "<a '" * 5000]
LONG += ["<p translate=no>" * 1000, "<b>" * 3000 + "</i>" * 3000, "<li>" * 4000, "<script>" * 2000]


@pytest.mark.parametrize("html", LONG)
def test_long_nonsense_is_put_together_again(html: str) -> None:
    parts = paragraphs(html)
    assert joined(parts, [part.text for part in parts if part.text]).replace(" ", "") == html.replace(" ", "")


@pytest.mark.parametrize(
    "repeated", ["<code></code>", "<p translate=no>", "<script>", "<ul><li translate=no>", "<div>"]
)
def test_documents_are_read_once(repeated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many characters are looked at for elements grows as the document does."""

    class Counting(str):
        looked_at = 0

        def find(self, mark: str, begin: int = 0, *_: object) -> int:  # type: ignore[override]
            found = str.find(self, mark, begin)
            Counting.looked_at += (len(self) if found < 0 else found) - begin
            return found

        def __getitem__(self, place: object) -> str:
            text = str.__getitem__(self, place)  # type: ignore[index]
            Counting.looked_at += len(text)
            return text

    document = Counting(repeated * 500)
    assert len(list(cuts(document))) >= 1
    assert Counting.looked_at <= 4 * len(document)
