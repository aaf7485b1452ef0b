"""Where in HTML the elements are that are not translated, and the tags that end a paragraph; found in one pass.

Documents are read as browsers read them, as far as it matters here: void elements have no end, scripts end at the first
closing tag, and an end that may be left out is where the next element or the parent's end says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

TAG = re.compile(r"""</?([A-Za-z][A-Za-z0-9:-]*+)(?:[^<>"']|"[^"]*+"|'[^']*+')*+>""")
EMPTY = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
"""HTML's void elements."""
_WORDS = frozenset({"code", "kbd", "samp", "var"})
"""Stay as they are, as words of a sentence."""
INLINE = frozenset(
    {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "del", "dfn", "em", "font", "i", "img", "ins", "mark"}
    | {"q", "s", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "wbr"}
)
_HIDDEN = frozenset({"script", "style", "textarea", "xmp", "iframe", "noembed", "noframes"})
_OPAQUE = _WORDS | _HIDDEN | {"math", "pre", "svg", "template"}
_RAW_ENDS = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _HIDDEN | {"title"}}
"""Of elements that hold no tags but the one that closes them."""
_ATTRIBUTE = re.compile(r"""[\s/]([A-Za-z-]+)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]*+))""")
_LISTS, _TABLES = ("ol", "ul", "menu"), ("table",)
_ENDED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "li": (("li",), _LISTS),
    **dict.fromkeys(("dt", "dd"), (("dt", "dd"), ("dl",))),
    **dict.fromkeys(("option", "optgroup"), (("option",), ("select", "datalist"))),
    **dict.fromkeys(("td", "th"), (("td", "th"), _TABLES)),
    "tr": (("tr",), _TABLES),
    **dict.fromkeys(("thead", "tbody", "tfoot"), (("thead", "tbody", "tfoot"), _TABLES)),
}
"""By an opening tag: the elements that end there though nothing closes them, but for those outside of the others."""
_END_PARAGRAPHS = frozenset(
    {"address", "article", "aside", "blockquote", "center", "details", "dialog", "dir", "div", "dl", "fieldset"}
    | {"figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "main"}
    | {"menu", "nav", "ol", "p", "pre", "search", "section", "table", "ul", "li", "dt", "dd"}
)
_HOLD_PARAGRAPHS = ("button", "caption", "object", "td", "th", "template")


@dataclass(frozen=True)
class Cut:
    """A place in a document."""

    begin: int
    end: int
    is_inline: bool = False
    """Whether it stays, and is part of a sentence."""


@dataclass
class _Open:
    """The elements that are open at some place."""

    names: list[str] = field(default_factory=list)
    _depths: dict[str, list[int]] = field(default_factory=dict)
    """Of each name, where it stands among them; no element is looked for one by one."""
    _blocks: list[int] = field(default_factory=list)

    def push(self, name: str) -> None:
        """One opens."""
        self._depths.setdefault(name, []).append(len(self.names))
        if name not in INLINE:
            self._blocks.append(len(self.names))
        self.names.append(name)

    def enter(self, name: str) -> None:
        """Its opening tag: others may end before it."""
        ended, bounds = _ENDED.get(name, ((), ()))
        self._end(ended, bounds)
        if name in _END_PARAGRAPHS:
            self._end(("p",), _HOLD_PARAGRAPHS)

    def close(self, name: str) -> None:
        """Its closing tag; of an inline element that was opened outside of this block it means nothing."""
        depth = self._depth(name)
        if depth >= 0 and not (name in INLINE and self._blocks and self._blocks[-1] > depth):
            self._cut(depth)

    def _end(self, names: tuple[str, ...], bounds: tuple[str, ...]) -> None:
        depth = max(map(self._depth, names), default=-1)
        if depth > max(map(self._depth, bounds), default=-1):
            self._cut(depth)

    def _depth(self, name: str) -> int:
        depths = self._depths.get(name)
        return depths[-1] if depths else -1

    def _cut(self, depth: int) -> None:
        while len(self.names) > depth:
            name = self.names.pop()
            self._depths[name].pop()
            if name not in INLINE:
                self._blocks.pop()


@dataclass(frozen=True)
class _Kept:
    """An element that stays, of which the end is not known yet."""

    begin: int
    name: str
    depth: int
    """How many elements are open around it."""

    def cut(self, end: int) -> Cut:
        """All of it."""
        return Cut(self.begin, end, self.name in INLINE | _WORDS)


def cuts(html: str) -> Iterator[Cut]:
    """Comments, elements that are not translated, and tags that end a paragraph, in order."""
    opened = _Open()
    kept: _Kept | None = None
    position = html.find("<")
    while position >= 0:
        tag = TAG.match(html, position)
        if tag is None:
            end = _end_of_declaration(html, position)
            if kept is None and end > position + 1:
                yield Cut(position, end)
            position = html.find("<", end)
            continue
        name, end = tag[1].lower(), tag.end()
        is_closing = tag[0].startswith("</")
        (opened.close if is_closing else opened.enter)(name)
        is_own_end = False
        if kept is not None and len(opened.names) <= kept.depth:
            is_own_end = is_closing and name == kept.name and len(opened.names) == kept.depth
            yield kept.cut(end if is_own_end else position)
            kept = None
        if not is_closing and not tag[0].endswith("/>") and name not in EMPTY:
            if kept is None and _stays(name, tag[0]):
                kept = _Kept(position, name, len(opened.names))
            opened.push(name)
            end = _end_of_raw(html, name, end)
        if kept is None and not is_own_end and name not in INLINE:
            yield Cut(position, tag.end())
        position = html.find("<", end)
    if kept is not None:
        yield kept.cut(len(html))


def _stays(name: str, tag: str) -> bool:
    if name in _OPAQUE:
        return True
    for attribute in _ATTRIBUTE.finditer(tag):
        value = next((value for value in attribute.groups()[1:] if value is not None), "").lower()
        if (attribute[1].lower(), value) == ("translate", "no"):
            return True
        if attribute[1].lower() == "class" and "notranslate" in value.split():
            return True
    return False


def _end_of_declaration(html: str, begin: int) -> int:
    """Of a comment and the like; of a `<` that is a character like any other."""
    if not html.startswith(("<!", "<?"), begin):
        return begin + 1
    mark, start = ("-->", begin + 2) if html.startswith("<!--", begin) else (">", begin)
    found = html.find(mark, start)
    return len(html) if found < 0 else found + len(mark)


def _end_of_raw(html: str, name: str, begin: int) -> int:
    """Where the closing tag begins of an element that holds no tags; of others, where their content begins."""
    if name not in _RAW_ENDS:
        return begin
    found = _RAW_ENDS[name].search(html, begin)
    return len(html) if found is None else found.start()
