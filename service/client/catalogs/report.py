"""What is told of a filled catalog."""

from __future__ import annotations

from collections import Counter
from typing import Any

from service.client.catalogs.entry import Catalog, Origin, State
from service.client.catalogs.filling import Outcome

_LISTED = 20
_ORIGINS = {Origin.MODEL: "by the model", Origin.MEMORY: "as in a translated entry", Origin.COPY: "copied"}


def summary(name: str, catalog: Catalog, outcome: Outcome, check: str) -> str:
    """Counts, and the first entries that were left, one a line.

    Args:
        name: of the file.
        catalog: before it was filled.
        outcome: what became of it.
        check: what is to be said of msgfmt.
    """
    origins = Counter(filling.origin for filling in outcome.fillings.values())
    parts = [f"{number} {_ORIGINS[origin]}" for origin, number in origins.most_common()]
    origins_said = f" ({', '.join(parts)})" if parts else ""
    states = Counter(entry.state for entry in catalog.entries)
    left = len(outcome.problems)
    lines = [
        f"{name}: {len(outcome.fillings)} filled{origins_said}, {left} left, "
        f"{states[State.CONFIRMED]} translated before, {states[State.SUGGESTED]} fuzzy by people, "
        f"{states[State.OURS]} from earlier runs; {check}"
    ]
    lines += [f"{name}:{catalog.entries[index].line}: {reason}" for index, reason in outcome.problems.items()][:_LISTED]
    if left > _LISTED:
        lines.append(f"{name}: {left - _LISTED} more, see --report")
    return "\n".join(lines)


def record(name: str, catalog: Catalog, outcome: Outcome, check: str) -> dict[str, Any]:
    """The same for programs: counts, and every entry that was filled or left."""
    filled = [
        {
            **_place(catalog, index),
            "targets": list(filling.targets),
            "origin": filling.origin.value,
            "score": filling.score,
            "model": filling.model,
        }
        for index, filling in sorted(outcome.fillings.items())
    ]
    left = [{**_place(catalog, index), "reason": reason} for index, reason in sorted(outcome.problems.items())]
    states = Counter(entry.state.value for entry in catalog.entries)
    return {
        "file": name,
        "language": catalog.language,
        "entries": len(catalog.entries),
        "states_before": dict(states),
        "num_filled": len(filled),
        "num_left": len(left),
        "msgfmt": check,
        "filled": filled,
        "left": left,
    }


def _place(catalog: Catalog, index: int) -> dict[str, Any]:
    entry = catalog.entries[index]
    return {
        "line": entry.line,
        "name": entry.name,
        "context": entry.context,
        "source": entry.source,
        "plural": entry.plural,
    }
