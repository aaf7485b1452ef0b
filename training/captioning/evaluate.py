"""How good captions are: BLEU, chrF and exact match, and of scenes what of them is true and where words look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.captioning.checkpoint import CaptionCheckpoint
from training.captioning.data import CaptionData
from training.captioning.examples import Example
from training.captioning.pointing import Pointing, point
from training.captioning.search import greedy_captions
from training.captioning.truth import Truth, judge
from training.evaluate import score_against_all
from training.evaluation.markdown import table as markdown_table

BATCH_SIZE = 64
_SCENES = {"test": "scenes", "test-colours": "scenes, new colours", "test-relations": "scenes, new relations"}


@dataclass
class Group:
    """Captions of one kind of picture in one language."""

    kind: str
    language: str
    written: list[str] = field(default_factory=list)
    references: list[list[str]] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    """Of scenes."""
    pointing: Pointing = field(default_factory=Pointing)

    @property
    def exact(self) -> float:
        """Share that is word for word a right caption."""
        pairs = zip(self.written, self.references, strict=True)
        return sum(text in references for text, references in pairs) / len(self.written)

    def corpus_scores(self) -> dict[str, Any]:
        """BLEU and chrF2 against all right captions, with sacrebleu's signatures."""
        return {**asdict(score_against_all(self.written, self.references)), "exact": 100 * self.exact}

    def share(self, name: str) -> float:
        """Of scenes' captions that are right in one respect, a field of `Truth`."""
        return float(np.mean([getattr(truth, name) for truth in self.truths]))


def evaluate(
    checkpoint: CaptionCheckpoint, examples: Sequence[Example], features: NDArray[np.float16]
) -> tuple[list[Group], list[tuple[str, ...]]]:
    """Greedy captions of all test pictures.

    Args:
        checkpoint: of a captioner.
        examples: of all splits; those of training say which captions are known.
        features: (N, S, C) of all views.

    Returns:
        Scores by kind and language, and every caption with picture, language and references.
    """
    model, tags = checkpoint.build_model(), checkpoint.tag_ids
    known = _known_captions(examples)
    groups: dict[tuple[str, str], Group] = {}
    told: list[tuple[str, ...]] = []
    for kind, part in _by_kind(examples, known).items():
        data = CaptionData(part, features, checkpoint.vocabulary, checkpoint.recipe)
        for language, tag in tags.items():
            group = groups[kind, language] = Group(kind, language)
            for start in range(0, len(part), BATCH_SIZE):
                batch = part[start : start + BATCH_SIZE]
                seen = data.features_of([example.first_view for example in batch])
                found = greedy_captions(model, seen, [tag] * len(batch), checkpoint.recipe.max_caption_tokens)
                for example, ids in zip(batch, found, strict=True):
                    told.append(_record(group, example, checkpoint.vocabulary.decode(ids)))
                if batch[0].kind == "scene":
                    group.pointing.looks += point(model, data, batch, language)
    return list(groups.values()), told


def _record(group: Group, example: Example, text: str) -> tuple[str, ...]:
    references = [caption.text for caption in example.captions[group.language]]
    group.written.append(text)
    group.references.append(references)
    if example.kind == "scene":
        group.truths.append(judge(text, references, group.language))
    return group.kind, group.language, example.picture, text, *references


def _known_captions(examples: Sequence[Example]) -> frozenset[str]:
    train = (example for example in examples if example.kind == "stamp" and example.split == "train")
    return frozenset(caption.text for example in train for caption in example.captions["en"])


def _by_kind(examples: Sequence[Example], known: frozenset[str]) -> dict[str, list[Example]]:
    """Test pictures, of stamps by whether a training picture has the same English caption; and the training stamps."""
    parts: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if example.kind == "scene" and example.split in _SCENES:
            parts[_SCENES[example.split]].append(example)
        elif example.kind == "stamp" and example.split == "test":
            is_known = example.captions["en"][0].text in known
            parts["stamps, caption known" if is_known else "stamps, caption new"].append(example)
        elif example.kind == "stamp" and example.split == "train":
            parts["stamps, trained on"].append(example)
    return dict(parts)


def card_scores(groups: Sequence[Group]) -> dict[str, Any]:
    """For `python -m export --scores`."""
    return {f"{group.kind}, {group.language}": group.corpus_scores() for group in groups}


def table(groups: Sequence[Group]) -> str:
    """Markdown: first what every kind has, then what only scenes have."""
    header = ["pictures", "language", "number", "BLEU", "chrF2", "exact, %"]
    rows = []
    for group in groups:
        scores = group.corpus_scores()
        figures = [f"{scores[name]:.1f}" for name in ("bleu", "chrf", "exact")]
        rows.append([group.kind, group.language, str(scores["num_sentences"]), *figures])
    scene_header = [
        "pictures",
        "language",
        "objects",
        "colours",
        "places",
        "nouns point",
        "colours point",
        "attention",
        "chance",
    ]
    scene_rows = [_scene_row(group) for group in groups if group.truths]
    return f"{markdown_table(header, rows)}\n\n{markdown_table(scene_header, scene_rows)}"


def _scene_row(group: Group) -> list[str]:
    shares: Iterator[float] = iter(
        [*(group.share(name) for name in ("objects", "colours", "places")), *group.pointing.shares()]
    )
    return [group.kind, group.language, *(f"{100 * share:.1f}" for share in shares)]
