"""Placeholders in messages, by the format that gettext's flags name, and what a translation must keep of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection

# Flags are taken whole and repetitions bounded, so that no text takes long.
_PRINTF = re.compile(
    r"%(?:(?P<position>\d+)\$)?(?P<flags>[-+ #0'I]*+)(?P<width>\*(?:\d+\$)?|\d+)?(?:\.(?P<precision>\*(?:\d+\$)?|\d*))?"
    r"(?P<size>hh|ll|[hlLqjzt])?(?P<kind>[diouxXeEfFgGaAcCsSpn@%]|<[A-Za-z0-9]+>)"
)
_PYTHON = re.compile(
    r"%(?:\((?P<name>[^)]*)\))?[-+ #0]*+(?:\*|\d+)?(?:\.(?:\*|\d+))?[hlL]?(?P<kind>[diouxXeEfFgGcrsa%])"
)
_BRACE = re.compile(r"\{\{|\}\}|\{[^{}\s]*\}")
_NAME_IN_BRACES = re.compile(r"\{[A-Za-z_]\w*\}")
_KDE = re.compile(r"%\d+")
_QT = re.compile(r"%L?\d{1,2}|%n\b")
_SHELL = re.compile(r"\$\{?[A-Za-z_]\w*\}?")
_BOOST = re.compile(r"%\d+%|%\|[^|]*\|")
_KINDS = {"i": "d", "X": "x", "E": "e", "F": "f", "G": "g", "A": "a"}

# Where no flag says what a placeholder looks like, everything that looks like one is kept as it is. A space is no flag
# here: "100% sure" has no placeholder.
_LOOSE = re.compile(
    r"%(?:\([A-Za-z_]\w*\))?(?:\d+\$)?[-+#0']*+\d*(?:\.\d+)?(?:hh|ll|[hlLqjzt])?[diouxXeEfFgGcsp]"
    r"|%[-_^0#]?[A-Za-z](?![A-Za-z])|%L?\d+\b%?|%[A-Za-z_]\w+%|%<[A-Za-z0-9]+>|\{\{[^{}]*\}\}|\$\{[^{}]*\}|\$t?\([^()]*\)|\$[A-Za-z_]\w*\b|\$\d+|\{[^{}\s]*\}"
    r"|\{\w+,[^{}]*\}"
)
_EVERYWHERE = re.compile(
    r"\b[a-z][a-z0-9+.-]{0,30}://[^\s<>\"'”’)]*|(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.]+|&(?:[A-Za-z]+|#\d+|#x[0-9A-Fa-f]+);"
)

_DATE = re.compile(r"%[-_^0#]?[aAbBeHIjklmMpPRSTyYZ]")
_LETTER = re.compile(r"[^\W\d_]")
_INTEGERS = set("diouxX")

Signature = Callable[[str], object]
"""What two texts must have in common."""


def _printf(text: str) -> object:
    arguments: dict[int, str] = {}
    following = 1
    for found in _PRINTF.finditer(text):
        for star in (found["width"], found["precision"]):
            if star == "*":
                arguments[following] = "d"
                following += 1
        if found["kind"] == "%":
            continue
        if found["position"]:
            place = int(found["position"])
        else:
            place, following = following, following + 1
        arguments[place] = (found["size"] or "") + _KINDS.get(found["kind"], found["kind"])
    return arguments


def _python(text: str) -> object:
    found = [match for match in _PYTHON.finditer(text) if match["kind"] != "%"]
    if any(match["name"] is not None for match in found):
        return Counter((match["name"], match["kind"]) for match in found)
    return [match["kind"] for match in found]


def _each(pattern: re.Pattern[str]) -> Signature:
    return lambda text: Counter(pattern.findall(text))


_SIGNATURES: dict[str, Signature] = {
    **dict.fromkeys(("c-format", "objc-format", "gcc-internal-format", "gfc-internal-format"), _printf),
    **dict.fromkeys(("php-format", "perl-format", "javascript-format", "awk-format", "lua-format"), _printf),
    **dict.fromkeys(("java-printf-format", "python-format"), _printf),
    "python-format": _python,
    **dict.fromkeys(("python-brace-format", "csharp-format", "java-format"), _each(_BRACE)),
    "perl-brace-format": _each(_NAME_IN_BRACES),
    **dict.fromkeys(("kde-format", "kde-kuit-format"), _each(_KDE)),
    **dict.fromkeys(("qt-format", "qt-plural-format"), _each(_QT)),
    "sh-format": _each(_SHELL),
    "boost-format": _each(_BOOST),
}


def _shown(signature: object) -> str:
    if isinstance(signature, Counter):
        signature = sorted(map(str, signature.elements()))
    elif isinstance(signature, dict):
        signature = [f"{place}:{kind}" for place, kind in sorted(signature.items())]
    assert isinstance(signature, list)
    return ", ".join(signature) or "none"


def difference(source: str, target: str, flags: Collection[str]) -> str | None:
    """What of the source's placeholders the target does not keep; None where it keeps all of them."""
    known = [_SIGNATURES[flag] for flag in flags if flag in _SIGNATURES] or [_each(_LOOSE)]
    for signature in known:
        if signature(source) != signature(target):
            return f"placeholders: {_shown(signature(source))} became {_shown(signature(target))}"
    kept, found = Counter(_EVERYWHERE.findall(source)), Counter(_EVERYWHERE.findall(target))
    if kept != found:
        return f"addresses or entities: {_shown(kept)} became {_shown(found)}"
    return None


def placeholders(text: str) -> list[str]:
    """Everything in a text that looks like a placeholder, an address or an entity, in order."""
    found = [match.span() for pattern in (_EVERYWHERE, _LOOSE) for match in pattern.finditer(text)]
    return [text[begin:end] for begin, end in sorted(found)]


def without_placeholders(text: str) -> str:
    """The text with a space for each of them."""
    return _LOOSE.sub(" ", _EVERYWHERE.sub(" ", text))


def simplified(text: str) -> str:
    """With `%1$s`, `%2$s` and so on for printf placeholders, `%s` for a single one, `%d` for integers; unchanged where
    they have positions already or take their width from an argument."""
    found = _directives(text)
    if any(match["position"] or "*" in match.group() or " " in match["flags"] for match in found):
        return text
    parts, end = [], 0
    for number, match in enumerate(found, 1):
        position = f"{number}$" if len(found) > 1 else ""
        parts += [text[end : match.start()], f"%{position}{'d' if match['kind'] in _INTEGERS else 's'}"]
        end = match.end()
    return "".join(parts) + text[end:]


def as_in(source: str, text: str) -> str:
    """Undoes `simplified`: the source's placeholders, with positions only where the translation has another order."""
    if simplified(source) == source:
        return text
    wanted = [match.group() for match in _directives(source)]
    found = _directives(text)
    numbers = [int(match["position"] or 1) for match in found]
    if sorted(numbers) != list(range(1, len(wanted) + 1)):
        return text
    parts, end = [], 0
    for number, match in zip(numbers, found, strict=True):
        directive = wanted[number - 1]
        position = "" if numbers == sorted(numbers) else f"{number}$"
        parts += [text[end : match.start()], f"%{position}{directive[1:]}"]
        end = match.end()
    return "".join(parts) + text[end:]


def is_date_format(text: str) -> bool:
    """Whether a text consists of strftime's conversions, whose order another language changes."""
    return len(_DATE.findall(text)) > 0 and not _LETTER.search(_DATE.sub("", text))


def _directives(text: str) -> list[re.Match[str]]:
    return [match for match in _PRINTF.finditer(text) if match["kind"] != "%"]
