"""MODEL_CARD.md, from the facts in the manifest."""

from __future__ import annotations

from typing import Any

import msgspec

from service.bundle.manifest import Alignment, Manifest
from service.bundle.provenance import Training


def model_card(manifest: Manifest, notes: str = "") -> str:
    """Markdown with what a user should know before trusting the model; `notes` are the maker's own words."""
    training, parity = manifest.training, manifest.parity
    sections = [
        f"# {manifest.name} {manifest.version}\n",
        f"{', '.join(pair.name for pair in manifest.pairs)}, {manifest.architecture}, {manifest.precision}.\n",
        "## Model\n",
        _model(training.recipe),
        f"- vocabulary: {manifest.vocabulary.source_size} source, {manifest.vocabulary.target_size} target pieces",
        f"- limits: {manifest.limits.max_source_tokens} source, {manifest.limits.max_target_tokens} target tokens "
        "per sentence\n",
        "## Training\n",
        _training(training),
        "## Scores\n",
        _scores(manifest),
        "\n## Export\n",
        f"- {parity.identical_translations} of {parity.num_sentences} greedy translations are token for token those of "
        f"{parity.reference}",
        f"- {parity.identical_beams} of {parity.num_beams} beam searches find what PyTorch's finds",
        f"- largest difference: {parity.max_log_prob_difference:.2g} nats in a token's log-probability, "
        f"{parity.max_attention_difference:.2g} in an attention weight",
    ]
    if parity.mean_quantization_difference is not None:
        sections.append(
            f"- mean difference from the float32 model: {parity.mean_quantization_difference:.2g} nats per token"
        )
    if manifest.alignment is not msgspec.UNSET:
        sections.append(_alignment(manifest.alignment))
    if notes:
        sections += ["\n## Notes\n", notes]
    sections += ["\n## Licence\n", manifest.licence]
    return "\n".join(sections) + "\n"


def _model(recipe: dict[str, Any]) -> str:
    """Settings; of an ensemble, those of every member."""
    if "picture" in recipe:
        parts = ("picture", "encoder", "decoder", "attention")
        return "\n".join(f"- {part}: {_listed(recipe[part])}" for part in parts)
    members = recipe.get("members")
    if not members:
        return "\n".join(f"- {key}: {value}" for key, value in recipe["model"].items())
    lines = [f"- an ensemble: the mean of the probabilities of {len(members)} models"]
    for number, member in enumerate(members, start=1):
        settings = _listed(member["recipe"]["model"])
        lines.append(f"- member {number}, {member['steps']:,} steps: {settings}")
    return "\n".join(lines)


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in settings.items())


def _training(training: Training) -> str:
    if not training.steps:
        return f"Not by this project. Data: {training.data}.\n"
    lines = [
        f"recipe: {training.recipe['name']}, code at {training.commit}",
        f"{training.steps:,} steps, {training.target_tokens:,} target tokens, {training.hours} hours",
        *([f"began with the weights of {training.initialized_from}"] if training.initialized_from else []),
        f"data: {training.data} (SHA-256 {training.data_sha256})\n",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _scores(manifest: Manifest) -> str:
    scores = manifest.training.scores
    if not scores:
        return "Not measured."
    first = next(iter(scores.values()))
    title, last = ("exact, %", "exact") if "exact" in first else ("TER", "ter")
    rows = [
        f"| {name} | {score['num_sentences']} | {score['bleu']:.1f} | {score['chrf']:.1f} | {_figure(score, last)} |"
        for name, score in scores.items()
    ]
    signatures = f"\nsacrebleu: `{first['bleu_signature']}`, `{first['chrf_signature']}`; greedy."
    return "\n".join(
        [f"| test set | sentences | BLEU | chrF2 | {title} |", "|---|---:|---:|---:|---:|", *rows, signatures]
    )


def _alignment(alignment: Alignment) -> str:
    if not alignment.num_links:
        return f"- alignments: {alignment.description}"
    return (
        f"- alignments: {alignment.description}, which finds {alignment.agreement:.1%} of {alignment.num_links} "
        "reference links in held-out text"
    )


def _figure(score: dict[str, Any], name: str) -> str:
    return f"{score[name]:.1f}" if name in score else ""
