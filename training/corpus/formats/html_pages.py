"""HTML pages without ids: headings, paragraphs, list items and cells in their order."""

from __future__ import annotations

from html.parser import HTMLParser

from training.corpus.formats.blocks import Block

_BLOCKS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "td", "th", "dt", "dd", "title"})
_STRUCTURE = frozenset({"div", "ul", "ol", "dl", "table", "tr", "body", "article", "header", "section", "blockquote"})
_SKIPPED = frozenset({"pre", "script", "style", "head"})


def parse_html(content: bytes) -> list[Block]:
    """Texts of a page; kinds are the names of the element and of the structure around it."""
    parser = _Blocks()
    parser.feed(content.decode("utf-8", errors="replace"))
    parser.close()
    return parser.found


class _Blocks(HTMLParser):
    """Collects texts; one ends where the next begins, so that an item's own text and its paragraphs are apart."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Block] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self._num_skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in _SKIPPED:
            self._end_block()
            self._num_skipped += 1
        elif tag in _BLOCKS or tag in _STRUCTURE:
            self._end_block()
            self._path.append(tag)
        elif tag == "br":
            self._text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SKIPPED:
            self._num_skipped = max(0, self._num_skipped - 1)
            self._text.clear()
        elif tag in self._path:
            self._end_block()
            while self._path.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self._num_skipped:
            self._text.append(data)

    def _end_block(self) -> None:
        text = " ".join("".join(self._text).split())
        self._text.clear()
        if text and self._path and not self._num_skipped:
            self.found.append(Block("/".join(self._path), text))
