"""Bytes that are nearly a protobuf message, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from bench.fuzzing.encoding import length_delimited, varint

MAX_DEPTH = 250
"""Of nested fields; protobuf refuses more than 100."""
MAX_BYTES = 1 << 16

_HUGE_LENGTHS = (0x7F, 0xFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
_INVALID_UTF8 = (
    b"\xff",
    b"\x80",  # a continuation of nothing
    b"\xc0\xaf",  # a slash in two bytes
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"\xf4\x90\x80\x80",  # beyond U+10FFFF
    b"\xe2\x82",  # the beginning of a euro sign
)


def noise(random: Random) -> bytes:
    """Random bytes, mostly few."""
    return random.randbytes(random.choice((0, 1, 2, 5, 20, 100, 1000)))


def mutate(content: bytes, random: Random) -> bytes:
    """A serialised message with one to three things wrong; at most MAX_BYTES long, unless it was longer before."""
    most = max(MAX_BYTES, len(content))
    for _ in range(random.choice((1, 1, 2, 3))):
        content = random.choice(MUTATIONS)(content, random)[:most]
    return content


def _flip_bits(content: bytes, random: Random) -> bytes:
    changed = bytearray(content or b"\x00")
    for _ in range(random.choice((1, 1, 2, 8))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _truncate(content: bytes, random: Random) -> bytes:
    return content[: _place(content, random)]


def _splice(content: bytes, random: Random) -> bytes:
    return content[: _place(content, random)] + content[_place(content, random) :]


def _duplicate(content: bytes, random: Random) -> bytes:
    return content * random.choice((2, 2, 3, 20))


def _insert(content: bytes, random: Random) -> bytes:
    place = _place(content, random)
    return content[:place] + noise(random) + content[place:]


def _enlarge_length(content: bytes, random: Random) -> bytes:
    # Any byte may be a length; in a short message many are.
    place = _place(content, random)
    return content[:place] + varint(random.choice(_HUGE_LENGTHS)) + content[place + 1 :]


def _overlong_varint(content: bytes, random: Random) -> bytes:
    place = _place(content, random)
    byte = content[place] if place < len(content) else 0
    zeros = b"\x80" * random.choice((0, 3, 8, 9, 10, 40)) + b"\x00"
    return content[:place] + bytes([byte | 0x80]) + zeros + content[place + 1 :]


def _nest_groups(content: bytes, random: Random) -> bytes:
    depth = random.randint(1, MAX_DEPTH)
    begin, end = (varint(random.choice((1, 2, 3, 99)) << 3 | kind) for kind in (3, 4))
    return begin * depth + content + end * random.choice((0, depth, depth + 1))


def _nest_messages(content: bytes, random: Random) -> bytes:
    number = random.choice((1, 2, 3, 99))
    for _ in range(random.randint(1, MAX_DEPTH)):
        content = length_delimited(number, content)
    return content


def _break_utf8(content: bytes, random: Random) -> bytes:
    # Of the same length, so that it is the text that is wrong and not the message.
    fault, place = random.choice(_INVALID_UTF8), _place(content, random)
    return (content[:place] + fault + content[place + len(fault) :])[: max(len(content), len(fault))]


def _place(content: bytes, random: Random) -> int:
    return random.randint(0, len(content))


MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _flip_bits,
    _truncate,
    _splice,
    _duplicate,
    _insert,
    _enlarge_length,
    _overlong_varint,
    _nest_groups,
    _nest_messages,
    _break_utf8,
    _break_utf8,
)
