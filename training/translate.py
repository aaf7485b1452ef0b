"""Text to text, with a trained checkpoint: for evaluation. Serving is the service's."""

from __future__ import annotations

from collections.abc import Sequence

from training.checkpoint import Checkpoint
from training.inputs import split_tag, tagged
from training.protected_spans import protect
from training.search import default_max_tokens, greedy
from training.vocabulary import END_ID


def translate(
    checkpoint: Checkpoint, texts: Sequence[str], languages: str | None = None, batch_size: int = 64
) -> list[str]:
    """Translate texts greedily, each as one sentence cut to what the model reads, batched by length.

    Args:
        checkpoint: which model.
        texts: of a model with several target languages, each with its tag in front, or all without.
        languages: the pair of texts without tags, such as en-de.
        batch_size: how many at a time.

    Raises:
        TrainingError: the model has no such pair, or a text has no tag and `languages` is None.
    """
    model, settings = checkpoint.build_model(), checkpoint.recipe.data
    longest = min(settings.max_source_tokens, settings.max_target_tokens)
    split = [split_tag(text, checkpoint.recipe) for text in tagged(texts, checkpoint.recipe, languages)]
    protected = [protect(text, checkpoint.recipe.protected_spans) for _, text in split]
    read = [tag + text.text for (tag, _), text in zip(split, protected, strict=True)]
    encoded = checkpoint.source_vocabulary.encode(read)
    sources = [[*ids[: longest - 1], END_ID] for ids in encoded]
    order = sorted(range(len(sources)), key=lambda index: len(sources[index]))
    translations = [""] * len(sources)
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        batch = [sources[index] for index in indices]
        limits = [default_max_tokens(len(source), longest) for source in batch]
        for index, ids in zip(indices, greedy(model, batch, limits), strict=True):
            translations[index] = protected[index].restore(checkpoint.target_vocabulary.decode(ids))
    return translations
