"""LibreOffice's help: HTML pages whose paragraphs have ids."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from training.corpus.formats.files import read


def read_help(directory: Path) -> dict[str, str]:
    """Paragraphs by file and id of a help tree, the directory that holds `text`."""
    paragraphs: dict[str, str] = {}
    for path in sorted(directory.glob("text/**/*.html")):
        parser = _Paragraphs()
        parser.feed(read(path).decode("utf-8", errors="replace"))
        place = path.relative_to(directory)
        paragraphs.update({f"{place}:{key}": text for key, text in parser.found.items()})
    return paragraphs


class _Paragraphs(HTMLParser):
    """Collects the text of every p and heading that has an id."""

    _BLOCKS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, str] = {}
        self._id: str | None = None
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._BLOCKS:
            self._id, self._text = dict(attrs).get("id"), []

    def handle_data(self, data: str) -> None:
        if self._id is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._BLOCKS and self._id is not None:
            if self._id.startswith(("par_", "hd_")):
                self.found[self._id] = "".join(self._text)
            self._id = None
