"""manifest.json: what a bundle is, with hashes of everything in it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from service.bundle.files import read_regular
from service.bundle.image_input import ImageInput, LanguageCode
from service.bundle.state_spec import StateArray
from service.errors import BundleError

SCHEMA_VERSION = 2
MULTILINGUAL_SCHEMA_VERSION = 3
"""Of bundles with `language_pairs`. All others are written as 2, so that services read them that know no other."""
IMAGE_SCHEMA_VERSION = 4
"""Of bundles with `image`."""
SCHEMA_VERSIONS = (SCHEMA_VERSION, MULTILINGUAL_SCHEMA_VERSION, IMAGE_SCHEMA_VERSION)
FILE_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 4 * 2**20

Precision = Literal["float32", "float16", "int8"]
Positive = Annotated[int, msgspec.Meta(gt=0)]
NonNegative = Annotated[int, msgspec.Meta(ge=0)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class File(_Section, frozen=True):
    """A file of the bundle."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    num_bytes: Positive


class Files(_Section, frozen=True, kw_only=True):
    """Graphs and tokenizers."""

    encoder: File
    decoder: File
    explain: File
    source_tokenizer: File | msgspec.UnsetType = msgspec.UNSET
    """Of a model that reads pictures there is none."""
    target_tokenizer: File

    @property
    def tokenizers(self) -> tuple[File, ...]:
        """Source and target, or the target's alone."""
        source = () if self.source_tokenizer is msgspec.UNSET else (self.source_tokenizer,)
        return (*source, self.target_tokenizer)

    def all(self) -> tuple[File, ...]:
        """Every file, in a fixed order."""
        return (self.encoder, self.decoder, self.explain, *self.tokenizers)

    @property
    def num_weight_bytes(self) -> int:
        """Size of the graphs."""
        return sum(file.num_bytes for file in (self.encoder, self.decoder, self.explain))


class Limits(_Section, frozen=True):
    """The longest sequences the graphs accept, in tokens."""

    max_source_tokens: Positive
    """End of sentence included; of a model that reads pictures the cells of its grid."""
    max_target_tokens: Positive
    """End of sentence not counted; the tag that tells the language of a caption is."""


class VocabularySpec(_Section, frozen=True):
    """Sizes and special ids."""

    source_size: NonNegative
    """0 for a model that reads pictures, and for no other."""
    target_size: Positive
    begin_id: NonNegative
    end_id: NonNegative
    pad_id: NonNegative
    unknown_id: NonNegative


class Parity(_Section, frozen=True):
    """How far ONNX Runtime was from PyTorch when the bundle was written."""

    num_sentences: NonNegative
    """Sentences decoded with both, in ragged batches."""
    identical_translations: NonNegative
    """How many came out token for token the same, step by step."""
    num_beams: NonNegative
    """Sentences decoded with both by beam search."""
    identical_beams: NonNegative
    """How many had the same best translation, or in lower precision one of the same score."""
    max_log_prob_difference: float
    """Largest difference of a token's log-probability under teacher forcing, in nats."""
    max_attention_difference: float
    """Largest difference of an attention weight."""
    reference: str
    """What PyTorch ran: the float model, or its quantised emulation."""
    mean_quantization_difference: float | None = None
    """Mean difference of a token's log-probability from the float32 model, in nats; None for float32."""


class Training(_Section, frozen=True):
    """Where the weights come from."""

    recipe: dict[str, Any]
    data: str
    data_sha256: str
    commit: str
    steps: NonNegative
    target_tokens: NonNegative
    hours: float
    initialized_from: str = ""
    """The model whose weights it began with, and how long that was trained; empty: random weights."""
    scores: dict[str, Any] = {}
    """BLEU and chrF by test set, with sacrebleu's signatures."""


class ProtectedSpans(_Section, frozen=True):
    """Spans of text that the model reads as symbols; see `service.text.protected_spans`."""

    symbols: tuple[Annotated[str, msgspec.Meta(pattern=r"^⟦\d+⟧$", max_length=8)], ...] = ()
    """Pieces of both vocabularies, in the order in which a sentence uses them. None: text is read as it is."""
    patterns: tuple[Annotated[str, msgspec.Meta(max_length=500)], ...] = ()
    """Regular expressions of spans, the first that matches at a place."""

    def __post_init__(self) -> None:
        for patterns in (*((pattern,) for pattern in self.patterns), self.patterns):
            try:
                re.compile("|".join(patterns))
            except re.error as error:
                raise ValueError(f"pattern {'|'.join(patterns)!r} is no regular expression: {error}") from None


class LanguagePair(_Section, frozen=True):
    """A source and a target language, and how the model is told."""

    source_language: str
    """BCP-47 code; empty: pictures."""
    target_language: str
    source_prefix_ids: tuple[NonNegative, ...] = ()
    """What the encoder reads before the ids of every sentence, such as that of the tag ⟦de⟧."""

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.source_language or 'picture'} → {self.target_language}"


class Manifest(_Section, frozen=True):
    """The content of manifest.json."""

    schema_version: int
    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    version: str
    architecture: str
    precision: Precision
    files: Files
    limits: Limits
    vocabulary: VocabularySpec
    state: tuple[StateArray, ...]
    parity: Parity
    training: Training
    licence: str
    source_language: str | msgspec.UnsetType = msgspec.UNSET
    target_language: str | msgspec.UnsetType = msgspec.UNSET
    language_pairs: Annotated[tuple[LanguagePair, ...], msgspec.Meta(min_length=1)] | msgspec.UnsetType = msgspec.UNSET
    """In place of the two languages, where there are several pairs or one that needs a prefix."""
    image: ImageInput | msgspec.UnsetType = msgspec.UNSET
    """What a model reads that describes pictures; it has `caption_languages` in place of all of these."""
    caption_languages: dict[LanguageCode, NonNegative] | msgspec.UnsetType = msgspec.UNSET
    """Languages of the captions, each with the id of the target's tag that every caption in it begins with."""
    protected_spans: ProtectedSpans = ProtectedSpans()

    def __post_init__(self) -> None:
        if (self.image is msgspec.UNSET) != (self.caption_languages is msgspec.UNSET):
            raise ValueError("image and caption_languages: one is of no use without the other")
        num_unset = (self.source_language, self.target_language).count(msgspec.UNSET)
        if self.image is not msgspec.UNSET:
            if num_unset < 2 or self.language_pairs is not msgspec.UNSET:
                raise ValueError("a model that reads pictures has caption_languages in place of other languages")
            size, limits = self.vocabulary.target_size, self.limits
            self.image.check(self.caption_tags, size, limits.max_source_tokens, limits.max_target_tokens)
        elif num_unset != (0 if self.language_pairs is msgspec.UNSET else 2):
            raise ValueError("either source_language and target_language or language_pairs must be there")
        if self.reads_images != (self.vocabulary.source_size == 0):
            raise ValueError("vocabulary.source_size must be 0 for a model that reads pictures, and for no other")
        if self.reads_images != (self.files.source_tokenizer is msgspec.UNSET):
            raise ValueError("files.source_tokenizer must be there, unless the model reads pictures")
        if len({(pair.source_language, pair.target_language) for pair in self.pairs}) < len(self.pairs):
            raise ValueError("language_pairs must be unique")
        if any(index >= self.vocabulary.source_size for pair in self.pairs for index in pair.source_prefix_ids):
            raise ValueError("language_pairs: source_prefix_ids must be ids of the source vocabulary")
        names = [array.name for array in self.state]
        if len(names) != len(set(names)):
            raise ValueError("state names must be unique")

    @property
    def reads_images(self) -> bool:
        """Whether it describes pictures; else it translates text."""
        return self.image is not msgspec.UNSET

    @property
    def caption_tags(self) -> dict[str, int]:
        """By language of the captions, the id that they begin with; empty for a model that reads text."""
        return {} if self.caption_languages is msgspec.UNSET else self.caption_languages

    @property
    def pairs(self) -> tuple[LanguagePair, ...]:
        """What the model translates; at least one pair. Pictures have no language."""
        if self.language_pairs is not msgspec.UNSET:
            return self.language_pairs
        if self.reads_images:
            return tuple(LanguagePair(source_language="", target_language=language) for language in self.caption_tags)
        assert self.source_language is not msgspec.UNSET
        assert self.target_language is not msgspec.UNSET
        return (LanguagePair(source_language=self.source_language, target_language=self.target_language),)

    @property
    def sha256(self) -> str:
        """Identifies the bundle: changes when any of its files or facts does."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    def save(self, directory: Path) -> None:
        """Write manifest.json."""
        content = msgspec.json.format(msgspec.json.encode(self), indent=2)
        (directory / FILE_NAME).write_bytes(content + b"\n")


def load_manifest(directory: Path) -> Manifest:
    """Read a bundle's manifest; whether the files are those that it describes, `read_file` tells.

    Raises:
        BundleError: it is missing, malformed, or cannot be read.
    """
    return parse_manifest(_read_manifest(directory), directory)


def read_file(directory: Path, file: File) -> bytes:
    """A file's content, which is what the manifest describes.

    Raises:
        BundleError: it is missing, or something else.
    """
    path = directory / file.name
    try:
        content = read_regular(directory, file.name, range(file.num_bytes, file.num_bytes + 1))
    except FileNotFoundError:
        raise BundleError(f"{path} is missing: export the bundle again, or copy the whole directory") from None
    if content is None or hashlib.sha256(content).hexdigest() != file.sha256:
        raise BundleError(f"{path} is not the file that the manifest describes: copy or export the bundle again")
    return content


def parse_manifest(content: bytes, directory: Path) -> Manifest:
    """Decode manifest.json; the version is looked at first, so that an old bundle is called old, not malformed."""
    try:
        head = msgspec.json.decode(content)
        version = head.get("schema_version") if isinstance(head, dict) else None
        if version not in SCHEMA_VERSIONS:
            known = ", ".join(map(str, SCHEMA_VERSIONS))
            raise BundleError(
                f"{directory}: schema version {version}, this service reads {known}: export the bundle again"
            )
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{directory / FILE_NAME} is malformed: {error}") from None


def describe_file(path: Path) -> File:
    """The manifest entry of a file."""
    return File(name=path.name, sha256=_hash_file(path), num_bytes=path.stat().st_size)


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(directory: Path) -> bytes:
    try:
        content = read_regular(directory, FILE_NAME, range(MAX_MANIFEST_BYTES + 1))
    except FileNotFoundError:
        raise BundleError(f"{directory} holds no {FILE_NAME}: it is not a bundle; see python -m export") from None
    if content is None:
        raise BundleError(f"{directory / FILE_NAME} is larger than {MAX_MANIFEST_BYTES} bytes")
    return content
