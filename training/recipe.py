"""A recipe: everything that decides what a training run produces, in one YAML file.

Unknown keys, wrong types and values out of range are errors that name the key.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
import yaml

from training.augmentation import AugmentationSettings
from training.errors import TrainingError
from training.language_pairs import LanguagePair, tags
from training.model_settings import FAMILY, TRANSFORMER, ModelSettings, TransformerSettings
from training.protected_spans import ProtectedSpanSettings
from training.section import Fraction, NonNegative, Positive, Section

AnyRecipe = TypeVar("AnyRecipe", bound=Section)
_EXPONENT = re.compile(r"[-+]?\d+[eE][-+]?\d+")


class PrepareSettings(Section, frozen=True):
    """How raw pairs become training, development and test text."""

    development_origins: tuple[str, ...] = ()
    """Documents or packages held out for validation."""
    test_origins: tuple[str, ...] = ()
    """Documents or packages held out for the final test."""
    development_share: Fraction = 0.0
    """Share of the remaining origins, drawn by hash, that goes to development."""
    max_characters: Positive = 600
    """Longer sides are dropped."""
    max_length_ratio: Annotated[float, msgspec.Meta(gt=1.0)] = 4.0
    """Pairs whose longer side exceeds this many times the shorter one (in UTF-8 bytes) are dropped."""
    min_ratio_characters: NonNegative = 12
    """The ratio is not applied where both sides are shorter than this."""
    drop_identical: bool = True
    """Drop pairs whose sides are the same: text that was never translated."""
    one_pair_per_source: bool = True
    """Keep the first pair of each source, compared without case, spaces and final dots."""
    tags: dict[str, Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z-]*$")]] = msgspec.field(default_factory=dict)
    """By origin, a tag in front of the sources of training pairs, such as back-translated: bt for ⟦bt⟧ (Caswell et al.
    2019), which is a piece of the vocabulary then."""
    repeats: dict[str, Positive] = msgspec.field(default_factory=dict)
    """By origin, how often each of its training pairs is written: more than once for little text that matters much."""
    phrasebook: bool = False
    """Add the project's own phrasebook: English with Korean, German, French or Spanish."""
    language_temperature: Annotated[float, msgspec.Meta(ge=1.0)] = 1.0
    """Of several language pairs, those with less training text are repeated: a pair's share is its number of examples
    to the power of 1 / temperature. 1 repeats nothing."""


class VocabularySettings(Section, frozen=True):
    """SentencePiece (Kudo and Richardson, 2018)."""

    size: Positive = 8000
    kind: Literal["unigram", "bpe"] = "unigram"
    character_coverage: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 0.9995
    byte_fallback: bool = True
    """Spell characters outside the vocabulary as bytes instead of losing them."""
    max_sentences: NonNegative = 0
    """Learn from so many sentences, drawn at random, where there are more; 0 takes all of them into memory."""
    is_shared: bool = True
    """One vocabulary for both languages; needed to tie source and target embeddings."""
    symbols: tuple[str, ...] = ()
    """Further pieces that are never cut; tags and the symbols of `protected_spans` need no mention."""


class DataSettings(Section, frozen=True):
    """How examples become batches."""

    batch_tokens: Positive = 4096
    """Target tokens in a batch, padding included; source tokens are held to the same number."""
    max_source_tokens: Positive = 256
    max_target_tokens: Positive = 256
    is_packed: bool = False
    """Transformers only: put the sentences of a batch end to end instead of side by side with padding. The same sums,
    and on a GPU in bfloat16 the flash kernel, which padding rules out. Validation is padded as ever."""


class TrainerSettings(Section, frozen=True):
    """The optimisation."""

    max_steps: Positive = 100_000
    warmup_steps: Positive = 4000
    schedule: Literal["inverse_sqrt", "linear"] = "inverse_sqrt"
    """After warm-up: the paper's inverse square root, or a straight line to zero at max_steps."""
    learning_rate: Annotated[float, msgspec.Meta(gt=0.0)] = 7e-4
    """The peak, reached at the end of warm-up. The paper's is (model_size * warmup_steps) ** -0.5."""
    optimizer: Literal["adam", "muon"] = "adam"
    """muon (Jordan et al. 2024) makes the updates of the layers' matrices orthogonal; embeddings, norms and biases stay
    with Adam. Its updates have the size of Adam's, so that the same learning rates suit it."""
    muon_momentum: Fraction = 0.95
    adam_betas: tuple[float, float] = (0.9, 0.98)
    adam_epsilon: float = 1e-9
    weight_decay: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
    label_smoothing: Fraction = 0.1
    clip_norm: Annotated[float, msgspec.Meta(ge=0.0)] = 1.0
    """Largest gradient norm; 0 turns clipping off."""
    gradient_accumulation: Positive = 1
    """Batches added up before one update, over all processes: a multiple of their number."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 runs matrix products under autocast; weights and optimiser state stay float32."""
    compile: bool = False
    """Compile the model's forward pass with torch.compile, for shapes of any size."""
    activation_checkpointing: bool = False
    """Run each layer again in the backward pass instead of keeping its activations: less memory, slower."""
    log_every_steps: Positive = 100
    validate_every_steps: Positive = 2000
    save_every_steps: Positive = 1000
    patience: NonNegative = 0
    """Stop after this many validations without a better loss; 0 never stops early."""
    keep_checkpoints: Positive = 5
    """How many of the last checkpoints stay on disk; these are averaged at the end."""


class Recipe(Section, frozen=True):
    """One training run."""

    name: str
    source_language: str = ""
    """BCP-47 code, for example en."""
    target_language: str = ""
    language_pairs: tuple[str, ...] = ()
    """Several pairs in one model, such as [en-de, de-en, en-pt_BR], in place of the two languages. With several target
    languages every source begins with the tag of its own: `⟦de⟧ `."""
    seed: NonNegative = 1
    prepare: PrepareSettings = PrepareSettings()
    vocabulary: VocabularySettings = VocabularySettings()
    protected_spans: ProtectedSpanSettings = ProtectedSpanSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    data: DataSettings = DataSettings()
    model: ModelSettings = TransformerSettings()
    trainer: TrainerSettings = TrainerSettings()

    def __post_init__(self) -> None:
        if bool(self.language_pairs) == bool(self.source_language or self.target_language):
            raise ValueError("give source_language and target_language, or language_pairs such as [en-de, en-fr]")
        if not self.language_pairs and not (self.source_language and self.target_language):
            raise ValueError("source_language and target_language go together")
        if len(set(self.pairs)) < len(self.pairs):
            raise ValueError("language_pairs: one is there twice")
        if self.data.is_packed and not isinstance(self.model, TransformerSettings):
            raise ValueError("data.is_packed is for Transformers: recurrent layers run through padding")

    @property
    def pairs(self) -> tuple[LanguagePair, ...]:
        """What the model translates; at least one pair."""
        if not self.language_pairs:
            return (LanguagePair(self.source_language, self.target_language),)
        return tuple(LanguagePair.parse(name) for name in self.language_pairs)

    @property
    def tags(self) -> dict[str, str]:
        """The tag of each target language, which the vocabulary needs as a symbol; none where there is only one."""
        return tags(self.pairs)

    def source_prefix(self, pair: LanguagePair) -> str:
        """What stands in front of every source of a pair: its tag and a space, or nothing."""
        return f"{self.tags[pair.target]} " if pair.target in self.tags else ""


def load_recipe(name_or_path: str, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe by file path, or by name from training/recipes.

    Args:
        name_or_path: a YAML file, or the name of a recipe that ships with the package.
        overrides: `section.key=value` texts, applied last.

    Raises:
        TrainingError: the file is missing, or a key or value is wrong; the message names it.
    """
    return parse_recipe(*read_content(name_or_path, overrides))


def read_content(name_or_path: str, overrides: tuple[str, ...] = ()) -> tuple[dict[str, Any], str]:
    """The plain values of a recipe, overrides applied, and the file they came from; see `load_recipe`."""
    path = Path(name_or_path)
    if not path.suffix:
        path = Path(__file__).parent / "recipes" / f"{name_or_path}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        shipped = ", ".join(sorted(file.stem for file in (Path(__file__).parent / "recipes").glob("*.yaml")))
        raise TrainingError(f"no recipe {name_or_path!r}: give a YAML file or one of {shipped}") from None
    except yaml.YAMLError as error:
        raise TrainingError(f"{path} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise TrainingError(f"{path} holds no recipe: expected keys such as name and source_language")
    for override in overrides:
        apply_override(content, override)
    return content, str(path)


def parse_recipe(content: dict[str, Any], origin: str) -> Recipe:
    """Turn plain values into a Recipe; errors name the key and `origin`, the file they came from."""
    model = content.get("model")
    if isinstance(model, dict):
        content = content | {"model": {FAMILY: TRANSFORMER} | model}  # what a recipe means that names no family
    return convert(content, Recipe, origin)


def convert(content: dict[str, Any], kind: type[AnyRecipe], origin: str) -> AnyRecipe:
    """Plain values as a recipe of some kind; errors name the key and `origin`."""
    try:
        return msgspec.convert(content, kind, strict=True)
    except msgspec.ValidationError as error:
        raise TrainingError(f"{origin}: {_explain(str(error), kind)}") from None


def apply_override(content: dict[str, Any], override: str) -> None:
    """Set one key of plain values: `section.key=value`.

    Raises:
        TrainingError: the text is of another form.
    """
    key, separator, value = override.partition("=")
    if not separator:
        raise TrainingError(f"--set takes section.key=value, not {override!r}")
    *sections, last = key.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise TrainingError(f"--set {override}: {section} is not a section")
    content[last] = _plain(value)


def _plain(value: str) -> Any:
    """What YAML reads, and 4e-3 too, which YAML takes for text because it has no point."""
    read = yaml.safe_load(value)
    return float(read) if isinstance(read, str) and _EXPONENT.fullmatch(read) else read


def _explain(message: str, kind: type[Section]) -> str:
    """Add the nearest known key to a message about an unknown one, in the recipe or in a section of it."""
    match = re.search(r"unknown field `(\w+)`(?: - at `\$\.(\w+)`)?$", message)
    if not match:
        return message.replace("$.", "")
    key, section = match.group(1), match.group(2) or ""
    known = _known_keys(section, kind)
    nearest = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else f"; known keys: {', '.join(known)}"
    return f"unknown key {key!r} in {section or 'the recipe'}{hint}"


def _known_keys(section: str, kind: type[Section]) -> list[str]:
    """Of a section of the recipe, or of the recipe itself; of every family of models where they differ."""
    owner = {field.name: field.type for field in msgspec.structs.fields(kind)}.get(section, kind)
    owners = get_args(owner) if isinstance(owner, UnionType) else (owner,)
    return list(dict.fromkeys(field.name for one in owners for field in msgspec.structs.fields(one)))
