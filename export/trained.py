"""What export reads: a checkpoint, or several that translate together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from export.errors import ExportError
from training.checkpoint import Checkpoint
from training.ensemble import Ensemble
from training.recipe import DataSettings, Recipe
from training.seq2seq import Seq2Seq
from training.vocabulary import Vocabulary


class Trained(Protocol):
    """What the writer of a bundle needs to know; see `Checkpoint`."""

    @property
    def recipe(self) -> Recipe:
        """How it was trained; of an ensemble, the first member's but for the limits."""
        ...

    @property
    def source_vocabulary(self) -> Vocabulary:
        """Of all members."""
        ...

    @property
    def target_vocabulary(self) -> Vocabulary:
        """Of all members."""
        ...

    @property
    def progress(self) -> dict[str, Any]:
        """Steps, tokens and seconds; of an ensemble, their sums."""
        ...

    @property
    def examples(self) -> list[list[int]]:
        """Sources of the training text, ids with end of sentence."""
        ...

    @property
    def held_out(self) -> list[tuple[list[int], list[int]]]:
        """Pairs of the development text, sources with end of sentence."""
        ...

    def build_model(self) -> Seq2Seq[Any]:
        """The model in evaluation mode."""
        ...


@dataclass(frozen=True)
class CheckpointEnsemble:
    """Checkpoints whose models become one."""

    recipe: Recipe
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    progress: dict[str, Any]
    examples: list[list[int]]
    held_out: list[tuple[list[int], list[int]]]
    members: tuple[Checkpoint, ...]

    @classmethod
    def of(cls, members: Sequence[Checkpoint]) -> CheckpointEnsemble:
        """Put checkpoints together.

        Raises:
            ExportError: they differ in languages or vocabularies; the message names the member.
        """
        first = members[0]
        for number, member in enumerate(members[1:], start=2):
            _check_fit(first, member, number)
        return cls(
            recipe=msgspec.structs.replace(first.recipe, data=_common_limits(members)),
            source_vocabulary=first.source_vocabulary,
            target_vocabulary=first.target_vocabulary,
            progress=_sum_up(members),
            examples=next((member.examples for member in members if member.examples), []),
            held_out=next((member.held_out for member in members if member.held_out), []),
            members=tuple(members),
        )

    def build_model(self) -> Ensemble:
        """See `Trained`."""
        return Ensemble([member.build_model() for member in self.members])

    def describe(self) -> list[dict[str, Any]]:
        """Recipe, steps and commit of each member, for the manifest."""
        return [
            {
                "recipe": member.recipe.to_dict(),
                "steps": member.progress["step"],
                "commit": member.progress.get("provenance", {}).get("commit", "unknown"),
            }
            for member in self.members
        ]


_LANGUAGES = ("source_language", "target_language", "language_pairs")
"""What a recipe says of them: one pair, or several in one model."""


def _told(languages: Sequence[Any]) -> str:
    source, target, pairs = languages
    return ", ".join(pairs) if pairs else f"{source} to {target}"


def _check_fit(first: Checkpoint, member: Checkpoint, number: int) -> None:
    recipes = [checkpoint.recipe.to_dict() for checkpoint in (first, member)]
    ours, theirs = ([recipe.get(key) for key in _LANGUAGES] for recipe in recipes)
    if ours != theirs:
        raise ExportError(f"member {number} translates {_told(theirs)}, the first {_told(ours)}: they must agree")
    # What the service masks in a text, it masks for all members.
    spans = [recipe.get("protected_spans") for recipe in recipes]
    if spans[0] != spans[1]:
        raise ExportError(f"member {number} has another section protected_spans in its recipe than the first")
    for side, expected, found in (
        ("source", first.source_vocabulary, member.source_vocabulary),
        ("target", first.target_vocabulary, member.target_vocabulary),
    ):
        if expected.model != found.model:
            raise ExportError(
                f"member {number} has another {side} vocabulary than the first: "
                "train the members on data with the same source.model and target.model"
            )


def _common_limits(members: Sequence[Checkpoint]) -> DataSettings:
    data = [member.recipe.data for member in members]
    return msgspec.structs.replace(
        data[0],
        max_source_tokens=min(settings.max_source_tokens for settings in data),
        max_target_tokens=min(settings.max_target_tokens for settings in data),
    )


def _sum_up(members: Sequence[Checkpoint]) -> dict[str, Any]:
    provenances = [member.progress.get("provenance", {}) for member in members]
    keys = dict.fromkeys(key for provenance in provenances for key in provenance)
    return {
        **{key: sum(member.progress[key] for member in members) for key in ("step", "target_tokens", "seconds")},
        "provenance": {key: "; ".join(dict.fromkeys(str(p[key]) for p in provenances if key in p)) for key in keys},
    }
