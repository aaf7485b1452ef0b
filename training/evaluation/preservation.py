"""Which share of placeholders, tags, addresses and numbers comes through a translation untouched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.evaluation.markdown import table
from training.evaluation.spans import KINDS, count_spans

LANGUAGES = ("en", "ko")


@dataclass(frozen=True)
class Preservation:
    """What became of one kind of span."""

    num_spans: int
    """In the sources."""
    num_kept: int
    """Of them, those that the translation of their sentence has, too, each as often as the source at most."""
    num_sentences: int
    """Sources with this kind."""
    num_exact: int
    """Of them, those whose translation has exactly the same: none lost, none changed, none added."""

    @property
    def kept_share(self) -> float:
        """From 0 to 1."""
        return self.num_kept / self.num_spans

    @property
    def exact_share(self) -> float:
        """From 0 to 1."""
        return self.num_exact / self.num_sentences


ALL = "all"


def measure_preservation(sources: Sequence[str], translations: Sequence[str]) -> dict[str, Preservation]:
    """By kind of span, and `all` of them together; kinds that no source has are left out.

    Args:
        sources: sentences.
        translations: one for each.
    """
    totals: dict[str, list[int]] = {kind: [0, 0, 0, 0] for kind in (*KINDS, ALL)}
    for source, translation in zip(sources, translations, strict=True):
        expected, found = count_spans(source), count_spans(translation)
        compared = {kind: (expected[kind], found.get(kind, Counter())) for kind in expected}
        if expected:
            compared[ALL] = (_together(expected), _together(found))
        for kind, (wanted, given) in compared.items():
            one = (wanted.total(), (wanted & given).total(), 1, int(wanted == given))
            totals[kind] = [total + number for total, number in zip(totals[kind], one, strict=True)]
    return {kind: Preservation(*numbers) for kind, numbers in totals.items() if numbers[0]}


def read_test_set(language: str) -> list[str]:
    """Sentences of software, written for this: line n of each language says the same.

    Args:
        language: `en` or `ko`.
    """
    path = Path(__file__).parent / f"preservation_{language}.txt"
    return path.read_text(encoding="utf-8").splitlines()


def to_markdown(systems: dict[str, dict[str, Preservation]]) -> str:
    """A table: for each kind the share that was kept and the share of sentences with exactly the same, in percent."""
    first = next(iter(systems.values()))
    header = ("", "spans", "sentences", *(f"{name}: {what}" for name in systems for what in ("kept", "exact")))
    rows = (
        (
            kind,
            str(row.num_spans),
            str(row.num_sentences),
            *(
                f"{100 * share:.1f}"
                for found in systems.values()
                for share in (found[kind].kept_share, found[kind].exact_share)
            ),
        )
        for kind, row in first.items()
    )
    return table(header, rows)


def _together(by_kind: dict[str, Counter[str]]) -> Counter[str]:
    return sum(by_kind.values(), Counter())
