"""Values that programs trip over, by protobuf type, and texts that are mostly short."""

from __future__ import annotations

import math
from random import Random

from google.protobuf.descriptor import FieldDescriptor

WORDS = (
    *("the", "file", "menu", "window", "cannot", "open", "a", "new", "save", "user", "password", "network", "error"),
    *("please", "select", "all", "of", "your", "settings", "printer", "is", "not", "available", "파일", "열기", "설정"),
)
PLACEHOLDERS = ("%s", "%(count)d", "{name}", "<b>", "</b>", "https://example.com/a?b=c", "`ls -l`", "&amp;", "$HOME")

STRANGE_TEXTS = (
    *("", " ", "\t\r\n", "\n" * 40, "\u3000\u00a0\u2028\u2029", "\u200b", "▁", "▁▁▁"),
    *("\u0000", "a\u0000b", "\ufffd", "\ufeff", "\uffff", "\U0010ffff", "\x01\x1b[31m\x7f\x85"),
    *("\u0301", "e\u0301\u0323\u0302", "a" + "\u0300" * 60, "\u1112\u1161\u11ab", "\u1161", "ㅎㅏㄴ", "한글."),
    *("👩\u200d👩\u200d👧\u200d👦", "🏳️\u200d🌈", "🇰🇷🇰", "\u200d", "\u202eabc\u202c", "\u2066x\u2069", "\u200f"),
    *("\\ud800", "\\u0000", "&#xD800;", "%ED%A0%80", "ß", "İ", "ǅ", "ﬁ", "ﷺ", "𝕳𝖊𝖑𝖑𝖔"),
    *("⟦1⟧", "⟦1⟧⟦1⟧⟦99999999999999999999⟧", "⟦", "⟧1⟦", "%s %d %(name)s %", "{name} {0} {{}} {", "<b></b><b", "${x"),
    *(
        "<s>",
        "</s>",
        "<unk>",
        "<pad>",
        "<2ko>",
        "../../../etc/passwd",
        "..",
        "'; --",
        "-1",
        "1e999",
        "NaN",
        "en-",
        "xx",
    ),
)
_UNICODE = ((0, 0x7F), (0x80, 0x7FF), (0x300, 0x36F), (0x1100, 0x11FF), (0xAC00, 0xD7A3), (0xE000, 0xFFFF))
_ASTRAL = (0x10000, 0x10FFFF)

LONG_CHARACTERS = (300, 1500, 20_001)
"""Lengths of the rare long texts; the last is beyond the server's default limit."""

SIGNED, UNSIGNED, FLOAT, DOUBLE, TEXT, BYTES, BOOLEAN = "signed", "unsigned", "float", "double", "text", "bytes", "bool"
_KINDS: dict[int, tuple[str, int]] = {
    FieldDescriptor.TYPE_INT32: (SIGNED, 32),
    FieldDescriptor.TYPE_SINT32: (SIGNED, 32),
    FieldDescriptor.TYPE_SFIXED32: (SIGNED, 32),
    FieldDescriptor.TYPE_ENUM: (SIGNED, 32),
    FieldDescriptor.TYPE_INT64: (SIGNED, 64),
    FieldDescriptor.TYPE_SINT64: (SIGNED, 64),
    FieldDescriptor.TYPE_SFIXED64: (SIGNED, 64),
    FieldDescriptor.TYPE_UINT32: (UNSIGNED, 32),
    FieldDescriptor.TYPE_FIXED32: (UNSIGNED, 32),
    FieldDescriptor.TYPE_UINT64: (UNSIGNED, 64),
    FieldDescriptor.TYPE_FIXED64: (UNSIGNED, 64),
    FieldDescriptor.TYPE_FLOAT: (FLOAT, 32),
    FieldDescriptor.TYPE_DOUBLE: (DOUBLE, 64),
    FieldDescriptor.TYPE_STRING: (TEXT, 0),
    FieldDescriptor.TYPE_BYTES: (BYTES, 0),
    FieldDescriptor.TYPE_BOOL: (BOOLEAN, 1),
}
_INTEGERS = (0, 1, 2, 3, 7, 8, 9, 127, 128, 129, 200, 201, 255, 256, 257, 1000, 65_536)
_FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-3, 5.0, 10.0, 1e10, math.nan, math.inf, -math.inf)
_FLOAT_LIMITS = (1.4e-45, 1.1754944e-38, 3.4028234e38)
_DOUBLE_LIMITS = (5e-324, 2.2250738585072014e-308, 1.7976931348623157e308)

Value = int | float | str | bytes | bool


def strange(field: FieldDescriptor, random: Random) -> Value:
    """A value of a scalar field's type, the limits of the type more often than chance has them."""
    if field.enum_type is not None and random.random() < 0.6:
        return random.choice(field.enum_type.values).number
    kind, num_bits = _KINDS[field.type]
    if kind == TEXT:
        return strange_text(random)
    if kind == BYTES:
        return random.randbytes(random.choice((0, 1, 4, 40)))
    if kind == BOOLEAN:
        return random.random() < 0.5
    if kind in (FLOAT, DOUBLE):
        limits = _FLOAT_LIMITS if kind == FLOAT else _DOUBLE_LIMITS
        return random.choice((*_FLOATS, *limits, random.gauss(0.0, 3.0)))
    return _integer(num_bits, kind == SIGNED, random)


def _integer(num_bits: int, is_signed: bool, random: Random) -> int:
    least, most = (-(1 << num_bits - 1), (1 << num_bits - 1) - 1) if is_signed else (0, (1 << num_bits) - 1)
    value = random.choice((*_INTEGERS, least, most, most - 1, random.randint(least, most)))
    return -value if is_signed and value > 0 and random.random() < 0.2 else value


def plain_text(random: Random) -> str:
    """A few words as a user might send them, sometimes with placeholders."""
    words = random.choices(WORDS, k=random.choice((1, 1, 2, 3, 5, 8)))
    if random.random() < 0.15:
        words[random.randrange(len(words))] = random.choice(PLACEHOLDERS)
    return " ".join(words) + random.choice(("", "", ".", "?", ". "))


def strange_text(random: Random) -> str:
    """Any text that protobuf can carry: mostly a few characters, now and then thousands."""
    draw = random.random()
    if draw < 0.4:
        return random.choice(STRANGE_TEXTS)
    if draw < 0.6:
        return random.choice(("", " ", "\n")).join(random.choices((*STRANGE_TEXTS, *WORDS), k=random.randint(2, 5)))
    if draw < 0.995:
        return "".join(_character(random) for _ in range(random.choice((1, 2, 5, 12))))
    piece = random.choice((*STRANGE_TEXTS, *WORDS)) or "x"
    length = random.choice(LONG_CHARACTERS)
    return (piece * (length // len(piece) + 1))[:length]


def _character(random: Random) -> str:
    low, high = _ASTRAL if random.random() < 0.1 else random.choice(_UNICODE)
    return chr(random.randint(low, high))
