"""MODEL_CARD.md, from the facts in the manifest."""

from __future__ import annotations

from service.bundle.manifest import Manifest, Training


def model_card(manifest: Manifest, notes: str = "") -> str:
    """Markdown with what a user should know before trusting the model; `notes` are the maker's own words."""
    training, parity = manifest.training, manifest.parity
    model = training.recipe["model"]
    sections = [
        f"# {manifest.name} {manifest.version}\n",
        f"{manifest.source_language} → {manifest.target_language}, {manifest.architecture}, {manifest.precision}.\n",
        "## Model\n",
        "\n".join(f"- {key}: {value}" for key, value in model.items()),
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
    if notes:
        sections += ["\n## Notes\n", notes]
    sections += ["\n## Licence\n", manifest.licence]
    return "\n".join(sections) + "\n"


def _training(training: Training) -> str:
    if not training.steps:
        return f"Not by this project. Data: {training.data}.\n"
    lines = [
        f"recipe: {training.recipe['name']}, code at {training.commit}",
        f"{training.steps:,} steps, {training.target_tokens:,} target tokens, {training.hours} hours",
        f"data: {training.data} (SHA-256 {training.data_sha256})\n",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _scores(manifest: Manifest) -> str:
    scores = manifest.training.scores
    if not scores:
        return "Not measured."
    rows = [
        f"| {name} | {score['num_sentences']} | {score['bleu']:.1f} | {score['chrf']:.1f} |"
        for name, score in scores.items()
    ]
    first = next(iter(scores.values()))
    signatures = f"\nsacrebleu: `{first['bleu_signature']}`, `{first['chrf_signature']}`; greedy."
    return "\n".join(["| test set | sentences | BLEU | chrF2 |", "|---|---:|---:|---:|", *rows, signatures])
