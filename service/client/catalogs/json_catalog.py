"""JSON catalogs: keys with texts, nested or not, a file for each language; also Chrome's messages.json.

The source file gives keys and texts; a text that the target file has already is a person's. JSON has no place for
marks, so what was filled is told in the report alone, and a later run takes it for translated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.client.catalogs.entry import Entry, Filling, State
from service.client.catalogs.errors import CatalogError
from service.client.catalogs.plurals import PluralForms

_ICU = re.compile(r"\{\s*\w+\s*,\s*(?:plural|select|selectordinal)\b")
_PLURAL_KEY = re.compile(r"(.*)_(?:zero|one|two|few|many)")
_INDENT = re.compile(rb"\n([ \t]+)\"")

_Path = tuple[str | int, ...]


class JsonCatalog:
    """A source file and the translations that there are."""

    def __init__(self, content: bytes, translated: bytes, name: str, language: str) -> None:
        """Reads both.

        Args:
            content: of the source file.
            translated: of the target file; `{}` where there is none.
            name: of the source file, for errors.
            language: BCP-47 code of the translations.

        Raises:
            CatalogError: either is not JSON with an object at the top.
        """
        self.language = language
        self.accelerator = None
        self._sources = _object(content, name)
        self._targets = _object(translated, f"{name}'s translation")
        layout = translated if _INDENT.search(translated) else content
        found = _INDENT.search(layout)
        self._indent = found.group(1).decode() if found else None
        self._end = "\n" if layout.endswith(b"\n") else ""
        self._translated = translated
        self._paths: list[_Path] = []
        self._entries: list[Entry] = []
        for path, source in _texts(self._sources, ()):
            self._entries.append(self._entry(len(self._paths), path, source))
            self._paths.append(path)

    @property
    def entries(self) -> Sequence[Entry]:
        """See `Catalog`."""
        return self._entries

    @property
    def plural_forms(self) -> PluralForms:
        """See `Catalog`."""
        return PluralForms.of_language(self.language)

    def content(self, fillings: Mapping[int, Filling]) -> bytes:
        """See `Catalog`; the target file, in the order of the source's keys, what only the target has behind them."""
        if not fillings:
            return self._translated
        filled = {self._paths[index]: filling.targets[0] for index, filling in fillings.items()}
        merged = _merged(self._sources, self._targets, filled, ())
        return (json.dumps(merged, ensure_ascii=False, indent=self._indent) + self._end).encode()

    def _entry(self, index: int, path: _Path, source: str) -> Entry:
        target = _at(self._targets, path)
        is_there = isinstance(target, str) and target != ""
        return Entry(
            index=index,
            line=0,
            name=".".join(map(str, path)),
            source=source,
            targets=(target if isinstance(target, str) else "",),
            state=State.CONFIRMED if is_there else State.EMPTY,
            problem=self._problem(path, source)
            if _is_open(self._targets, path)
            else "the translation is built otherwise",
        )

    def _problem(self, path: _Path, source: str) -> str:
        if _ICU.search(source):
            return "an ICU message with variants"
        found = _PLURAL_KEY.fullmatch(str(path[-1]))
        siblings = _at(self._sources, path[:-1])
        if found and isinstance(siblings, dict) and f"{found.group(1)}_other" in siblings:
            return "" if len(self.plural_forms.numbers) > 1 else "a plural form that the language does not have"
        return ""


def _object(content: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CatalogError(f"{name}: is not JSON in UTF-8: {error}") from error
    if not isinstance(found, dict):
        raise CatalogError(f"{name}: expected an object of keys and texts")
    return found


def _texts(node: Any, path: _Path) -> Iterator[tuple[_Path, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, list):
        for place, child in enumerate(node):
            yield from _texts(child, (*path, place))
    elif isinstance(node, dict):
        for key, child in node.items():
            # @metadata and the like tell about a file or a key; they are no messages.
            if not key.startswith("@") and (key == "message" or not _is_chrome(node)):
                yield from _texts(child, (*path, key))


def _at(node: Any, path: _Path) -> Any:
    for key in path:
        if isinstance(node, dict) and isinstance(key, str):
            node = node.get(key)
        elif isinstance(node, list) and isinstance(key, int) and key < len(node):
            node = node[key]
        else:
            return None
    return node


def _is_chrome(node: Mapping[str, Any]) -> bool:
    """Whether it is a message of Chrome's messages.json."""
    return isinstance(node.get("message"), str) and set(node) <= {"message", "description", "placeholders"}


def _is_open(target: Any, path: _Path) -> bool:
    """Whether a text may stand at a path: nothing else is there or on the way."""
    for key in path:
        if target is None:
            return True
        if not isinstance(target, dict if isinstance(key, str) else list):
            return False
        target = _at(target, (key,))
    return target is None or isinstance(target, str)


def _merged(source: Any, target: Any, filled: Mapping[_Path, str], path: _Path) -> Any:
    if path in filled:
        return filled[path]
    if target is not None and isinstance(source, dict | list) and type(target) is not type(source):
        return target
    if isinstance(source, dict):
        known = target or {}
        is_chrome = _is_chrome(source)
        if is_chrome and (*path, "message") not in filled and "message" not in known:
            return target
        merged = {
            key: known.get(key, child)
            if is_chrome and key != "message"
            else _merged(child, known.get(key), filled, (*path, key))
            for key, child in source.items()
            if key in known or not key.startswith("@")
        }
        return {key: child for key, child in merged.items() if child is not None} | {
            key: child for key, child in known.items() if key not in source
        }
    if isinstance(source, list):
        known_list = target or []
        padded = [*known_list, *[None] * (len(source) - len(known_list))]
        merged_list = [_merged(child, padded[place], filled, (*path, place)) for place, child in enumerate(source)]
        return ["" if child is None else child for child in merged_list] + known_list[len(source) :]
    if target is not None:
        return target
    return None if isinstance(source, str) else source
