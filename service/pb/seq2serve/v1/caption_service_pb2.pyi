from service.pb.seq2serve.v1 import translation_service_pb2 as _translation_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CaptionRequest(_message.Message):
    __slots__ = ("model_selection", "image", "decoding", "omit_words", "priority")
    MODEL_SELECTION_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DECODING_FIELD_NUMBER: _ClassVar[int]
    OMIT_WORDS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    model_selection: _translation_service_pb2.ModelSelection
    image: bytes
    decoding: _translation_service_pb2.DecodingOptions
    omit_words: bool
    priority: _translation_service_pb2.Priority
    def __init__(self, model_selection: _Optional[_Union[_translation_service_pb2.ModelSelection, _Mapping]] = ..., image: _Optional[bytes] = ..., decoding: _Optional[_Union[_translation_service_pb2.DecodingOptions, _Mapping]] = ..., omit_words: _Optional[bool] = ..., priority: _Optional[_Union[_translation_service_pb2.Priority, str]] = ...) -> None: ...

class CaptionResponse(_message.Message):
    __slots__ = ("caption", "language_code", "hypotheses", "words", "model", "model_version")
    CAPTION_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    caption: str
    language_code: str
    hypotheses: _containers.RepeatedCompositeFieldContainer[CaptionHypothesis]
    words: _containers.RepeatedCompositeFieldContainer[CaptionWord]
    model: str
    model_version: str
    def __init__(self, caption: _Optional[str] = ..., language_code: _Optional[str] = ..., hypotheses: _Optional[_Iterable[_Union[CaptionHypothesis, _Mapping]]] = ..., words: _Optional[_Iterable[_Union[CaptionWord, _Mapping]]] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ...) -> None: ...

class CaptionHypothesis(_message.Message):
    __slots__ = ("text", "score", "log_prob", "finish_reason", "tokens")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LOG_PROB_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    text: str
    score: float
    log_prob: float
    finish_reason: _translation_service_pb2.FinishReason
    tokens: _containers.RepeatedCompositeFieldContainer[_translation_service_pb2.Token]
    def __init__(self, text: _Optional[str] = ..., score: _Optional[float] = ..., log_prob: _Optional[float] = ..., finish_reason: _Optional[_Union[_translation_service_pb2.FinishReason, str]] = ..., tokens: _Optional[_Iterable[_Union[_translation_service_pb2.Token, _Mapping]]] = ...) -> None: ...

class CaptionWord(_message.Message):
    __slots__ = ("word", "begin", "end", "attention")
    WORD_FIELD_NUMBER: _ClassVar[int]
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_FIELD_NUMBER: _ClassVar[int]
    word: str
    begin: int
    end: int
    attention: AttentionGrid
    def __init__(self, word: _Optional[str] = ..., begin: _Optional[int] = ..., end: _Optional[int] = ..., attention: _Optional[_Union[AttentionGrid, _Mapping]] = ...) -> None: ...

class AttentionGrid(_message.Message):
    __slots__ = ("rows", "columns", "weights")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    rows: int
    columns: int
    weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, rows: _Optional[int] = ..., columns: _Optional[int] = ..., weights: _Optional[_Iterable[float]] = ...) -> None: ...
