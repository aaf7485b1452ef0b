"""Calls the service; retries what may be retried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import grpc

from service.client.attention.attention import KINDS, Attention, Kind
from service.client.connection import Connection
from service.client.credentials import Credentials
from service.client.results import Caption, Hypothesis
from service.pb.seq2serve.v1 import caption_service_pb2 as caption_pb
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

ITEMS_PER_MESSAGE = 32


@dataclass(frozen=True, kw_only=True)
class DecodingArguments:
    """Decoding options; None leaves a choice to the server. Meanings and limits: protos/seq2serve/v1."""

    beam_size: int | None = None
    num_hypotheses: int | None = None
    length_penalty: float | None = None
    length_normalization: Literal["gnmt", "tokens"] | None = None
    early_stopping: bool | None = None
    max_target_tokens: int | None = None
    min_target_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    target_prefix: str | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    forbidden_phrases: Sequence[str] = ()
    terminology: Mapping[str, str] = field(default_factory=dict)
    """Source terms and what they must become."""
    return_alternatives: bool | None = None
    span_protection: Literal["keep", "require", "off"] | None = None
    """What becomes of placeholders, tags, addresses and code."""

    def message(self) -> pb.DecodingOptions:
        """The options as a message."""
        values = {name: value for name, value in vars(self).items() if value is not None}
        if self.length_normalization is not None:
            values["length_normalization"] = f"LENGTH_NORMALIZATION_{self.length_normalization.upper()}"
        if self.span_protection is not None:
            values["span_protection"] = f"SPAN_PROTECTION_{self.span_protection.upper()}"
        values["terminology"] = [pb.Term(source=term, target=target) for term, target in self.terminology.items()]
        return pb.DecodingOptions(**values)


class LineError(Exception):
    """A text among many that was not translated."""

    def __init__(self, number: int, error: pb.ItemError) -> None:
        super().__init__(f"line {number}: {error.message}")
        self.code = _STATUS[error.code]


_STATUS: dict[int, grpc.StatusCode] = {status.value[0]: status for status in grpc.StatusCode}


class Client(Connection):
    """A connection to a service. Thread-safe; use it as a context manager, or close it.

    Errors are grpc.RpcError with the status codes that the protos document.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        model: str = "",
        source_language: str = "",
        target_language: str = "",
        decoding: DecodingArguments | None = None,
        timeout_seconds: float | None = 60.0,
        credentials: Credentials | None = None,
    ) -> None:
        """Connects when first used.

        Args:
            address: host:port, or a list of addresses; see Connection.
            model: its name; empty: chosen by the languages.
            source_language: BCP-47 code; empty: any.
            target_language: BCP-47 code; empty: any.
            decoding: how to decode.
            timeout_seconds: of every call; None: no deadline.
            credentials: None: plaintext, and nothing that tells who asks.

        Raises:
            ValueError: the credentials cannot be used; the message says why.
        """
        super().__init__(
            address,
            model=model,
            source_language=source_language,
            target_language=target_language,
            timeout_seconds=timeout_seconds,
            credentials=credentials,
        )
        self._decoding = (decoding or DecodingArguments()).message()

    def translate(self, text: str) -> str:
        """The translation of one text."""
        request = pb.TranslateRequest(model_selection=self._selection, texts=[text], decoding=self._decoding)
        response: pb.TranslateResponse = self._stub.Translate(request, timeout=self._timeout)
        return response.results[0].hypotheses[0].text

    def hypotheses(self, text: str) -> list[Hypothesis]:
        """The best translations of one text, as many as the decoding asks for, best first."""
        request = pb.TranslateRequest(
            model_selection=self._selection,
            texts=[text],
            decoding=self._decoding,
            return_options=pb.ReturnOptions(scores=True),
        )
        response: pb.TranslateResponse = self._stub.Translate(request, timeout=self._timeout)
        return [Hypothesis(found.text, found.score, found.log_prob) for found in response.results[0].hypotheses]

    def caption(self, image: bytes, *, with_words: bool = True) -> Caption:
        """What a picture shows; `image`: a PNG or JPEG file. Without the words it takes about half of the time."""
        request = caption_pb.CaptionRequest(
            model_selection=self._selection, image=image, decoding=self._decoding, omit_words=not with_words
        )
        return Caption.of(self._captions.Caption(request, timeout=self._timeout))

    def stream(self, text: str) -> Iterator[str]:
        """The translation of one text in pieces, as it grows."""
        request = pb.TranslateStreamRequest(model_selection=self._selection, text=text, decoding=self._decoding)
        for response in self._stub.TranslateStream(request, timeout=self._timeout):
            if response.HasField("delta"):
                yield response.delta.text

    def attend(
        self,
        source: str,
        target: str = "",
        *,
        kinds: Sequence[Kind] = ("cross", "encoder", "decoder"),
        encodings: bool = False,
        layer: int | None = None,
        head: int | None = None,
    ) -> Attention:
        """What the model looks at in one sentence.

        Args:
            source: taken as one sentence.
            target: its translation; empty: the model translates greedily.
            kinds: of attention.
            encodings: whether to return what the encoder makes of each source token.
            layer: only maps of this one, from 0.
            head: only maps of this one, from 0.
        """
        request = pb.AttendRequest(
            model_selection=self._selection,
            source=source,
            target=target,
            kinds=[KINDS[kind] for kind in kinds],
            return_encodings=encodings,
            layer=layer,
            head=head,
        )
        return Attention.of(self._stub.Attend(request, timeout=self._timeout))

    def translate_all(self, texts: Iterable[str]) -> Iterator[str]:
        """Translations of many texts, in order, over one stream, which is not tried again if the service is away.

        Raises:
            LineError: an item failed; the message says which and why.
        """
        waiting: dict[int, str] = {}
        next_index = 0
        for response in self._stub.BatchTranslate(self._batches(texts), timeout=None):
            if response.HasField("error"):
                raise LineError(int(response.id) + 1, response.error)
            waiting[int(response.id)] = response.result.hypotheses[0].text
            while next_index in waiting:
                yield waiting.pop(next_index)
                next_index += 1

    def outcomes(
        self, texts: Sequence[str], seed: int | None = None
    ) -> Iterator[tuple[int, pb.TranslationResult | pb.ItemError]]:
        """What becomes of up to 128 texts, over a stream of their own, as it comes.

        Args:
            texts: sent in one message.
            seed: of the sampling, in place of the decoding's.

        Returns:
            The place of each text in `texts`, and its translations with the log-probabilities of their tokens, or why
            there are none.
        """
        config = pb.BatchConfig(
            model_selection=self._selection,
            decoding=self._decoding,
            return_options=pb.ReturnOptions(token_log_probs=True),
        )
        if seed is not None:
            config.decoding.seed = seed
        items = [pb.BatchItem(id=str(index), text=text) for index, text in enumerate(texts)]
        request = pb.BatchTranslateRequest(config=config, items=items)
        for response in self._stub.BatchTranslate(iter([request]), timeout=self._timeout):
            yield int(response.id), response.error if response.HasField("error") else response.result

    def _batches(self, texts: Iterable[str]) -> Iterator[pb.BatchTranslateRequest]:
        config = pb.BatchConfig(model_selection=self._selection, decoding=self._decoding)
        yield pb.BatchTranslateRequest(config=config)
        items: list[pb.BatchItem] = []
        for index, text in enumerate(texts):
            items.append(pb.BatchItem(id=str(index), text=text))
            if len(items) == ITEMS_PER_MESSAGE:
                yield pb.BatchTranslateRequest(items=items)
                items = []
        if items:
            yield pb.BatchTranslateRequest(items=items)
