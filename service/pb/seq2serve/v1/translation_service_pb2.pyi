from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SpanProtection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SPAN_PROTECTION_UNSPECIFIED: _ClassVar[SpanProtection]
    SPAN_PROTECTION_KEEP: _ClassVar[SpanProtection]
    SPAN_PROTECTION_REQUIRE: _ClassVar[SpanProtection]
    SPAN_PROTECTION_OFF: _ClassVar[SpanProtection]

class LengthNormalization(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LENGTH_NORMALIZATION_UNSPECIFIED: _ClassVar[LengthNormalization]
    LENGTH_NORMALIZATION_GNMT: _ClassVar[LengthNormalization]
    LENGTH_NORMALIZATION_TOKENS: _ClassVar[LengthNormalization]

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_INTERACTIVE: _ClassVar[Priority]
    PRIORITY_BATCH: _ClassVar[Priority]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_END: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]

class AttentionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTENTION_KIND_UNSPECIFIED: _ClassVar[AttentionKind]
    ATTENTION_KIND_ENCODER_SELF: _ClassVar[AttentionKind]
    ATTENTION_KIND_DECODER_SELF: _ClassVar[AttentionKind]
    ATTENTION_KIND_CROSS: _ClassVar[AttentionKind]
SPAN_PROTECTION_UNSPECIFIED: SpanProtection
SPAN_PROTECTION_KEEP: SpanProtection
SPAN_PROTECTION_REQUIRE: SpanProtection
SPAN_PROTECTION_OFF: SpanProtection
LENGTH_NORMALIZATION_UNSPECIFIED: LengthNormalization
LENGTH_NORMALIZATION_GNMT: LengthNormalization
LENGTH_NORMALIZATION_TOKENS: LengthNormalization
PRIORITY_UNSPECIFIED: Priority
PRIORITY_INTERACTIVE: Priority
PRIORITY_BATCH: Priority
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_END: FinishReason
FINISH_REASON_LENGTH: FinishReason
ATTENTION_KIND_UNSPECIFIED: AttentionKind
ATTENTION_KIND_ENCODER_SELF: AttentionKind
ATTENTION_KIND_DECODER_SELF: AttentionKind
ATTENTION_KIND_CROSS: AttentionKind

class ModelSelection(_message.Message):
    __slots__ = ("model", "source_language_code", "target_language_code")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    model: str
    source_language_code: str
    target_language_code: str
    def __init__(self, model: _Optional[str] = ..., source_language_code: _Optional[str] = ..., target_language_code: _Optional[str] = ...) -> None: ...

class DecodingOptions(_message.Message):
    __slots__ = ("beam_size", "num_hypotheses", "length_penalty", "max_target_tokens", "min_target_tokens", "temperature", "top_k", "top_p", "seed", "target_prefix", "early_stopping", "repetition_penalty", "no_repeat_ngram_size", "forbidden_phrases", "terminology", "return_alternatives", "length_normalization", "span_protection")
    BEAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    NUM_HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    LENGTH_PENALTY_FIELD_NUMBER: _ClassVar[int]
    MAX_TARGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MIN_TARGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    TARGET_PREFIX_FIELD_NUMBER: _ClassVar[int]
    EARLY_STOPPING_FIELD_NUMBER: _ClassVar[int]
    REPETITION_PENALTY_FIELD_NUMBER: _ClassVar[int]
    NO_REPEAT_NGRAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    FORBIDDEN_PHRASES_FIELD_NUMBER: _ClassVar[int]
    TERMINOLOGY_FIELD_NUMBER: _ClassVar[int]
    RETURN_ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    LENGTH_NORMALIZATION_FIELD_NUMBER: _ClassVar[int]
    SPAN_PROTECTION_FIELD_NUMBER: _ClassVar[int]
    beam_size: int
    num_hypotheses: int
    length_penalty: float
    max_target_tokens: int
    min_target_tokens: int
    temperature: float
    top_k: int
    top_p: float
    seed: int
    target_prefix: str
    early_stopping: bool
    repetition_penalty: float
    no_repeat_ngram_size: int
    forbidden_phrases: _containers.RepeatedScalarFieldContainer[str]
    terminology: _containers.RepeatedCompositeFieldContainer[Term]
    return_alternatives: bool
    length_normalization: LengthNormalization
    span_protection: SpanProtection
    def __init__(self, beam_size: _Optional[int] = ..., num_hypotheses: _Optional[int] = ..., length_penalty: _Optional[float] = ..., max_target_tokens: _Optional[int] = ..., min_target_tokens: _Optional[int] = ..., temperature: _Optional[float] = ..., top_k: _Optional[int] = ..., top_p: _Optional[float] = ..., seed: _Optional[int] = ..., target_prefix: _Optional[str] = ..., early_stopping: _Optional[bool] = ..., repetition_penalty: _Optional[float] = ..., no_repeat_ngram_size: _Optional[int] = ..., forbidden_phrases: _Optional[_Iterable[str]] = ..., terminology: _Optional[_Iterable[_Union[Term, _Mapping]]] = ..., return_alternatives: _Optional[bool] = ..., length_normalization: _Optional[_Union[LengthNormalization, str]] = ..., span_protection: _Optional[_Union[SpanProtection, str]] = ...) -> None: ...

class Term(_message.Message):
    __slots__ = ("source", "target")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class ReturnOptions(_message.Message):
    __slots__ = ("scores", "token_log_probs", "alignment", "sentences")
    SCORES_FIELD_NUMBER: _ClassVar[int]
    TOKEN_LOG_PROBS_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    scores: bool
    token_log_probs: bool
    alignment: bool
    sentences: bool
    def __init__(self, scores: _Optional[bool] = ..., token_log_probs: _Optional[bool] = ..., alignment: _Optional[bool] = ..., sentences: _Optional[bool] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("piece", "log_prob")
    PIECE_FIELD_NUMBER: _ClassVar[int]
    LOG_PROB_FIELD_NUMBER: _ClassVar[int]
    piece: str
    log_prob: float
    def __init__(self, piece: _Optional[str] = ..., log_prob: _Optional[float] = ...) -> None: ...

class AlignmentLink(_message.Message):
    __slots__ = ("source_begin", "source_end", "target_begin", "target_end", "weight")
    SOURCE_BEGIN_FIELD_NUMBER: _ClassVar[int]
    SOURCE_END_FIELD_NUMBER: _ClassVar[int]
    TARGET_BEGIN_FIELD_NUMBER: _ClassVar[int]
    TARGET_END_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    source_begin: int
    source_end: int
    target_begin: int
    target_end: int
    weight: float
    def __init__(self, source_begin: _Optional[int] = ..., source_end: _Optional[int] = ..., target_begin: _Optional[int] = ..., target_end: _Optional[int] = ..., weight: _Optional[float] = ...) -> None: ...

class SentenceSpan(_message.Message):
    __slots__ = ("source_begin", "source_end", "target_begin", "target_end")
    SOURCE_BEGIN_FIELD_NUMBER: _ClassVar[int]
    SOURCE_END_FIELD_NUMBER: _ClassVar[int]
    TARGET_BEGIN_FIELD_NUMBER: _ClassVar[int]
    TARGET_END_FIELD_NUMBER: _ClassVar[int]
    source_begin: int
    source_end: int
    target_begin: int
    target_end: int
    def __init__(self, source_begin: _Optional[int] = ..., source_end: _Optional[int] = ..., target_begin: _Optional[int] = ..., target_end: _Optional[int] = ...) -> None: ...

class AppliedTerm(_message.Message):
    __slots__ = ("term", "target_begin", "target_end")
    TERM_FIELD_NUMBER: _ClassVar[int]
    TARGET_BEGIN_FIELD_NUMBER: _ClassVar[int]
    TARGET_END_FIELD_NUMBER: _ClassVar[int]
    term: int
    target_begin: int
    target_end: int
    def __init__(self, term: _Optional[int] = ..., target_begin: _Optional[int] = ..., target_end: _Optional[int] = ...) -> None: ...

class Hypothesis(_message.Message):
    __slots__ = ("text", "score", "log_prob", "tokens", "alignment", "finish_reason", "applied_terms", "protected_spans", "sentences")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LOG_PROB_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    APPLIED_TERMS_FIELD_NUMBER: _ClassVar[int]
    PROTECTED_SPANS_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    text: str
    score: float
    log_prob: float
    tokens: _containers.RepeatedCompositeFieldContainer[Token]
    alignment: _containers.RepeatedCompositeFieldContainer[AlignmentLink]
    finish_reason: FinishReason
    applied_terms: _containers.RepeatedCompositeFieldContainer[AppliedTerm]
    protected_spans: _containers.RepeatedCompositeFieldContainer[ProtectedSpan]
    sentences: _containers.RepeatedCompositeFieldContainer[SentenceSpan]
    def __init__(self, text: _Optional[str] = ..., score: _Optional[float] = ..., log_prob: _Optional[float] = ..., tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., alignment: _Optional[_Iterable[_Union[AlignmentLink, _Mapping]]] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., applied_terms: _Optional[_Iterable[_Union[AppliedTerm, _Mapping]]] = ..., protected_spans: _Optional[_Iterable[_Union[ProtectedSpan, _Mapping]]] = ..., sentences: _Optional[_Iterable[_Union[SentenceSpan, _Mapping]]] = ...) -> None: ...

class ProtectedSpan(_message.Message):
    __slots__ = ("source_begin", "source_end", "target_begin")
    SOURCE_BEGIN_FIELD_NUMBER: _ClassVar[int]
    SOURCE_END_FIELD_NUMBER: _ClassVar[int]
    TARGET_BEGIN_FIELD_NUMBER: _ClassVar[int]
    source_begin: int
    source_end: int
    target_begin: int
    def __init__(self, source_begin: _Optional[int] = ..., source_end: _Optional[int] = ..., target_begin: _Optional[int] = ...) -> None: ...

class TranslationResult(_message.Message):
    __slots__ = ("hypotheses", "num_source_tokens", "num_target_tokens")
    HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    NUM_SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    NUM_TARGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    hypotheses: _containers.RepeatedCompositeFieldContainer[Hypothesis]
    num_source_tokens: int
    num_target_tokens: int
    def __init__(self, hypotheses: _Optional[_Iterable[_Union[Hypothesis, _Mapping]]] = ..., num_source_tokens: _Optional[int] = ..., num_target_tokens: _Optional[int] = ...) -> None: ...

class TranslateRequest(_message.Message):
    __slots__ = ("model_selection", "texts", "decoding", "return_options", "priority")
    MODEL_SELECTION_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    DECODING_FIELD_NUMBER: _ClassVar[int]
    RETURN_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    model_selection: ModelSelection
    texts: _containers.RepeatedScalarFieldContainer[str]
    decoding: DecodingOptions
    return_options: ReturnOptions
    priority: Priority
    def __init__(self, model_selection: _Optional[_Union[ModelSelection, _Mapping]] = ..., texts: _Optional[_Iterable[str]] = ..., decoding: _Optional[_Union[DecodingOptions, _Mapping]] = ..., return_options: _Optional[_Union[ReturnOptions, _Mapping]] = ..., priority: _Optional[_Union[Priority, str]] = ...) -> None: ...

class TranslateResponse(_message.Message):
    __slots__ = ("results", "model", "model_version")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[TranslationResult]
    model: str
    model_version: str
    def __init__(self, results: _Optional[_Iterable[_Union[TranslationResult, _Mapping]]] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ...) -> None: ...

class TranslateStreamRequest(_message.Message):
    __slots__ = ("model_selection", "text", "decoding", "return_options", "priority")
    MODEL_SELECTION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DECODING_FIELD_NUMBER: _ClassVar[int]
    RETURN_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    model_selection: ModelSelection
    text: str
    decoding: DecodingOptions
    return_options: ReturnOptions
    priority: Priority
    def __init__(self, model_selection: _Optional[_Union[ModelSelection, _Mapping]] = ..., text: _Optional[str] = ..., decoding: _Optional[_Union[DecodingOptions, _Mapping]] = ..., return_options: _Optional[_Union[ReturnOptions, _Mapping]] = ..., priority: _Optional[_Union[Priority, str]] = ...) -> None: ...

class TranslateStreamResponse(_message.Message):
    __slots__ = ("delta", "result", "alignment", "sentence")
    DELTA_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    delta: TranslationDelta
    result: TranslationResult
    alignment: _containers.RepeatedCompositeFieldContainer[AlignmentLink]
    sentence: SentenceSpan
    def __init__(self, delta: _Optional[_Union[TranslationDelta, _Mapping]] = ..., result: _Optional[_Union[TranslationResult, _Mapping]] = ..., alignment: _Optional[_Iterable[_Union[AlignmentLink, _Mapping]]] = ..., sentence: _Optional[_Union[SentenceSpan, _Mapping]] = ...) -> None: ...

class TranslationDelta(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class BatchTranslateRequest(_message.Message):
    __slots__ = ("config", "items")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    config: BatchConfig
    items: _containers.RepeatedCompositeFieldContainer[BatchItem]
    def __init__(self, config: _Optional[_Union[BatchConfig, _Mapping]] = ..., items: _Optional[_Iterable[_Union[BatchItem, _Mapping]]] = ...) -> None: ...

class BatchConfig(_message.Message):
    __slots__ = ("model_selection", "decoding", "return_options", "priority")
    MODEL_SELECTION_FIELD_NUMBER: _ClassVar[int]
    DECODING_FIELD_NUMBER: _ClassVar[int]
    RETURN_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    model_selection: ModelSelection
    decoding: DecodingOptions
    return_options: ReturnOptions
    priority: Priority
    def __init__(self, model_selection: _Optional[_Union[ModelSelection, _Mapping]] = ..., decoding: _Optional[_Union[DecodingOptions, _Mapping]] = ..., return_options: _Optional[_Union[ReturnOptions, _Mapping]] = ..., priority: _Optional[_Union[Priority, str]] = ...) -> None: ...

class BatchItem(_message.Message):
    __slots__ = ("id", "text")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class BatchTranslateResponse(_message.Message):
    __slots__ = ("id", "result", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: str
    result: TranslationResult
    error: ItemError
    def __init__(self, id: _Optional[str] = ..., result: _Optional[_Union[TranslationResult, _Mapping]] = ..., error: _Optional[_Union[ItemError, _Mapping]] = ...) -> None: ...

class ItemError(_message.Message):
    __slots__ = ("code", "message", "reason", "field")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    reason: str
    field: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., reason: _Optional[str] = ..., field: _Optional[str] = ...) -> None: ...

class ScoreRequest(_message.Message):
    __slots__ = ("model_selection", "pairs")
    MODEL_SELECTION_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    model_selection: ModelSelection
    pairs: _containers.RepeatedCompositeFieldContainer[TextPair]
    def __init__(self, model_selection: _Optional[_Union[ModelSelection, _Mapping]] = ..., pairs: _Optional[_Iterable[_Union[TextPair, _Mapping]]] = ...) -> None: ...

class TextPair(_message.Message):
    __slots__ = ("source", "target")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("scores", "model", "model_version")
    SCORES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedCompositeFieldContainer[PairScore]
    model: str
    model_version: str
    def __init__(self, scores: _Optional[_Iterable[_Union[PairScore, _Mapping]]] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ...) -> None: ...

class PairScore(_message.Message):
    __slots__ = ("log_prob", "tokens")
    LOG_PROB_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    log_prob: float
    tokens: _containers.RepeatedCompositeFieldContainer[Token]
    def __init__(self, log_prob: _Optional[float] = ..., tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ...) -> None: ...

class AttendRequest(_message.Message):
    __slots__ = ("model_selection", "source", "target", "kinds", "return_encodings", "layer", "head")
    MODEL_SELECTION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    RETURN_ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    model_selection: ModelSelection
    source: str
    target: str
    kinds: _containers.RepeatedScalarFieldContainer[AttentionKind]
    return_encodings: bool
    layer: int
    head: int
    def __init__(self, model_selection: _Optional[_Union[ModelSelection, _Mapping]] = ..., source: _Optional[str] = ..., target: _Optional[str] = ..., kinds: _Optional[_Iterable[_Union[AttentionKind, str]]] = ..., return_encodings: _Optional[bool] = ..., layer: _Optional[int] = ..., head: _Optional[int] = ...) -> None: ...

class AttendResponse(_message.Message):
    __slots__ = ("source_tokens", "target_tokens", "maps", "model", "model_version", "averages", "alignment", "encodings", "source", "target")
    SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TARGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAPS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    AVERAGES_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_FIELD_NUMBER: _ClassVar[int]
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    source_tokens: _containers.RepeatedCompositeFieldContainer[AttendedToken]
    target_tokens: _containers.RepeatedCompositeFieldContainer[AttendedToken]
    maps: _containers.RepeatedCompositeFieldContainer[AttentionMap]
    model: str
    model_version: str
    averages: _containers.RepeatedCompositeFieldContainer[AttentionMap]
    alignment: _containers.RepeatedCompositeFieldContainer[AlignmentLink]
    encodings: _containers.RepeatedCompositeFieldContainer[Encoding]
    source: str
    target: str
    def __init__(self, source_tokens: _Optional[_Iterable[_Union[AttendedToken, _Mapping]]] = ..., target_tokens: _Optional[_Iterable[_Union[AttendedToken, _Mapping]]] = ..., maps: _Optional[_Iterable[_Union[AttentionMap, _Mapping]]] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., averages: _Optional[_Iterable[_Union[AttentionMap, _Mapping]]] = ..., alignment: _Optional[_Iterable[_Union[AlignmentLink, _Mapping]]] = ..., encodings: _Optional[_Iterable[_Union[Encoding, _Mapping]]] = ..., source: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class Encoding(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class AttendedToken(_message.Message):
    __slots__ = ("piece", "begin", "end")
    PIECE_FIELD_NUMBER: _ClassVar[int]
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    piece: str
    begin: int
    end: int
    def __init__(self, piece: _Optional[str] = ..., begin: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class AttentionMap(_message.Message):
    __slots__ = ("kind", "layer", "head", "rows", "columns", "weights")
    KIND_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    kind: AttentionKind
    layer: int
    head: int
    rows: int
    columns: int
    weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, kind: _Optional[_Union[AttentionKind, str]] = ..., layer: _Optional[int] = ..., head: _Optional[int] = ..., rows: _Optional[int] = ..., columns: _Optional[int] = ..., weights: _Optional[_Iterable[float]] = ...) -> None: ...
