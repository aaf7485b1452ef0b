"""Random protobuf messages of any type, from their descriptors; the same from the same state of the generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from bench.fuzzing.encoding import length_delimited
from bench.fuzzing.pictures import pictures
from bench.fuzzing.values import Value, plain_text, strange

PLAUSIBLE: Mapping[str, Sequence[Value]] = {
    "beam_size": (1, 2, 2, 4, 8),
    "num_hypotheses": (1, 1, 2),
    "length_penalty": (0.0, 0.6, 1.0, 5.0),
    "max_target_tokens": (1, 4, 8, 16),
    "min_target_tokens": (0, 1, 3),
    "temperature": (0.0, 0.01, 0.7, 10.0),
    "top_k": (0, 1, 10),
    "top_p": (0.01, 0.5, 1.0),
    "seed": (0, 1, 2**64 - 1),
    "target_prefix": ("", "", "파일"),
    "repetition_penalty": (1.0, 1.2, 10.0),
    "no_repeat_ngram_size": (0, 1, 3, 64),
    "source_language_code": ("", "en"),
    "target_language_code": ("", "ko"),
    "page_size": (0, 1, 50, 200),
    "page_token": ("",),
    "image": pictures(),
}
"""Values that the service takes, by field name; texts and enums need no list."""
ESSENTIAL = frozenset({"texts", "text", "pairs", "items", "source", "target", "name", "image"})
"""Fields without which a request is refused, or has nothing to do."""

MAX_DEPTH = 5
_MANY = (33, 129, 300)
_UNKNOWN_FIELDS = (
    b"\xf8\x7f\x01",  # field 2047, varint
    b"\xfa\x7f\x03abc",  # length-delimited
    b"\xf9\x7f" + b"\xff" * 8,  # 64 bits
    b"\xfd\x7f" + b"\x00" * 4,  # 32 bits
    b"\xfb\x7f\xfc\x7f",  # an empty group
)


class Generator:
    """Draws messages: strange ones, and plausible ones that a service would answer."""

    def __init__(self, random: Random, plausible: Mapping[str, Sequence[Value]] = PLAUSIBLE) -> None:
        """`plausible`: values that the service takes, by field name; names of models belong there."""
        self._random = random
        self._plausible = plausible

    def strange(self, descriptor: Descriptor) -> Message:
        """Every field with some probability, mostly with a value that nobody means."""
        return self._message(descriptor, strangeness=0.8, density=self._random.choice((0.05, 0.3, 0.6, 1.0)))

    def plausible(self, descriptor: Descriptor) -> Message:
        """What there must be and few options, nearly always within their limits."""
        return self._message(descriptor, strangeness=0.01, density=self._random.choice((0.0, 0.05, 0.05, 0.2)))

    def _message(self, descriptor: Descriptor, strangeness: float, density: float, depth: int = 0) -> Message:
        message = GetMessageClass(descriptor)()
        is_plausible = strangeness < 0.5
        for field in descriptor.fields:
            probability = 0.97 if is_plausible and field.name in ESSENTIAL else density
            if self._random.random() < probability:
                self._fill(message, field, strangeness, density, depth)
        if not is_plausible and self._random.random() < 0.05:
            message.MergeFromString(self._random.choice(_UNKNOWN_FIELDS))
        return message

    def _fill(self, message: Message, field: FieldDescriptor, strangeness: float, density: float, depth: int) -> None:
        number = self._length(strangeness, depth) if field.is_repeated else 1
        if field.message_type is None:
            values = [self._scalar(field, strangeness) for _ in range(number)]
            if field.is_repeated:
                getattr(message, field.name).extend(values)
            else:
                setattr(message, field.name, values[0])
        elif depth < MAX_DEPTH:
            for _ in range(number):
                # Merged as bytes, which is the same for single, repeated and map fields.
                part = self._message(field.message_type, strangeness, density, depth + 1).SerializeToString()
                message.MergeFromString(length_delimited(field.number, part))

    def _length(self, strangeness: float, depth: int) -> int:
        if self._random.random() >= strangeness:
            return self._random.choice((1, 1, 1, 2))
        draw = self._random.random()
        if draw < 0.02 and depth < 2:
            return self._random.choice(_MANY)
        return 0 if draw < 0.3 else self._random.randint(1, 4)

    def _scalar(self, field: FieldDescriptor, strangeness: float) -> Value:
        if self._random.random() < strangeness:
            return strange(field, self._random)
        if field.name in self._plausible:
            return self._random.choice(self._plausible[field.name])
        if field.type == FieldDescriptor.TYPE_STRING:
            return plain_text(self._random)
        if field.enum_type is not None:
            return self._random.choice(field.enum_type.values).number
        return strange(field, self._random)
