"""Fills a catalog: which entries, with what, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from service.client.catalogs import placeholders
from service.client.catalogs.entry import Catalog, Entry, Filling, State
from service.client.catalogs.solving import Solution, Solver, Text

_CREDITS = {"translator-credits", "translator_credits", "Your names", "Your emails", "_: Your names", "_: Your emails"}
PORTION = 128
"""Entries between two looks at what is done."""


@dataclass(frozen=True, kw_only=True)
class FillingOptions:
    """Which entries are filled besides empty ones, and ones that msgmerge left with another message's translation."""

    refills_suggestions: bool = False
    """Also fuzzy entries that are a person's; their text stays in a comment."""
    refills_own: bool = False
    """Also what an earlier run wrote and nobody touched."""


@dataclass
class Outcome:
    """What became of a catalog's entries."""

    fillings: dict[int, Filling] = field(default_factory=dict)
    """By index."""
    problems: dict[int, str] = field(default_factory=dict)
    """Why entries were left as they are, by index."""

    def take_back(self, index: int, reason: str) -> None:
        """Leave an entry as it is after all."""
        del self.fillings[index]
        self.problems[index] = reason


def wanted(entry: Entry, options: FillingOptions) -> bool:
    """Whether an entry is to be filled."""
    if not entry.source.strip():
        return False
    return (
        entry.state in (State.EMPTY, State.STALE)
        or (entry.state is State.SUGGESTED and options.refills_suggestions)
        or (entry.state is State.OURS and options.refills_own)
    )


def fill(
    catalog: Catalog,
    solver: Solver,
    outcome: Outcome,
    *,
    options: FillingOptions,
    model: str,
    after_portion: Callable[[int, int], None],
) -> None:
    """Fill a catalog's entries.

    Args:
        catalog: what to fill; it is not changed.
        solver: finds translations.
        outcome: grows with every portion, so that what is done is there when an exception ends this.
        options: which entries.
        model: name and version, for the marks.
        after_portion: called with the number of entries done and that of all to do.
    """
    entries = [entry for entry in catalog.entries if wanted(entry, options)]
    after_portion(0, len(entries))
    for begin in range(0, len(entries), PORTION):
        portion = entries[begin : begin + PORTION]
        _fill_portion(portion, catalog, solver, outcome, model)
        after_portion(begin + len(portion), len(entries))


def _fill_portion(entries: Sequence[Entry], catalog: Catalog, solver: Solver, outcome: Outcome, model: str) -> None:
    texts: dict[int, list[Text]] = {}
    for entry in entries:
        if entry.problem or _is_credit(entry):
            outcome.problems[entry.index] = entry.problem or "translators' names"
            continue
        texts[entry.index] = [Text(source, entry.flags) for source in _sources(entry, catalog)]
    solutions = iter(solver.solve([text for of_entry in texts.values() for text in of_entry]))
    for index, of_entry in texts.items():
        _take([next(solutions) for _ in of_entry], index, outcome, model)


def _take(solutions: Sequence[Solution], index: int, outcome: Outcome, model: str) -> None:
    problem = next((solution.problem for solution in solutions if solution.problem), None)
    if problem is not None:
        outcome.problems[index] = problem
        return
    worst = min(solutions, key=lambda solution: float("inf") if solution.score is None else solution.score)
    targets = tuple(solution.target for solution in solutions)
    outcome.fillings[index] = Filling(targets, worst.origin, worst.score, model)


def _sources(entry: Entry, catalog: Catalog) -> list[str]:
    if entry.plural is None:
        return [entry.source]
    forms = catalog.plural_forms
    is_same = placeholders.difference(entry.source, entry.plural, entry.flags) is None
    return [forms.source_of(form, entry.source, entry.plural, is_same) for form in range(len(forms.numbers))]


def _is_credit(entry: Entry) -> bool:
    return entry.source in _CREDITS or (entry.context or "").endswith("OF TRANSLATORS")
