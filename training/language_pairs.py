"""What a model translates: pairs of languages. Several target languages are told apart by a tag in front of the source
(Johnson et al. 2017)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_CODE = r"[A-Za-z]{2,8}(?:_[A-Za-z0-9]{1,8})*"
_NAME = re.compile(rf"({_CODE})-({_CODE})")


@dataclass(frozen=True, slots=True)
class LanguagePair:
    """A source and a target language, BCP-47 codes."""

    source: str
    target: str

    @classmethod
    def parse(cls, name: str) -> LanguagePair:
        """Read `en-de`; a code of several parts is written with underscores: `en-pt_BR`.

        Raises:
            ValueError: the name is of another form.
        """
        match = _NAME.fullmatch(name)
        if not match:
            raise ValueError(f"{name!r} is no language pair such as en-de or en-pt_BR")
        return cls(*(code.replace("_", "-") for code in match.groups()))

    @property
    def name(self) -> str:
        """As `parse` reads it."""
        return "-".join(code.replace("-", "_") for code in (self.source, self.target))

    @property
    def swapped(self) -> LanguagePair:
        """The other direction."""
        return LanguagePair(self.target, self.source)


def tags(pairs: Sequence[LanguagePair]) -> dict[str, str]:
    """The tag of each target language, such as `⟦de⟧`; none where there is only one, which needs no telling."""
    targets = list(dict.fromkeys(pair.target for pair in pairs))
    return {target: f"⟦{target}⟧" for target in targets} if len(targets) > 1 else {}


def split_name(text: str) -> tuple[LanguagePair | None, str]:
    """Cut the language pair off `en-de:REST`; None and the whole text where none stands there."""
    name, separator, rest = text.partition(":")
    return (LanguagePair.parse(name), rest) if separator and _NAME.fullmatch(name) else (None, text)
