"""A section of a recipe, and the kinds of numbers in it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Positive = Annotated[int, msgspec.Meta(gt=0)]
NonNegative = Annotated[int, msgspec.Meta(ge=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen; an unknown key is an error."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the same as JSON gives them back."""
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return plain
