"""python -m bench.ctranslate2_server: CTranslate2 behind our protos, with the dynamic batching that a team would write.

Sentences that wait together are translated together, up to a largest batch or a longest wait; a batch ends before the
next begins, and while it runs the next one gathers. Translate only, and every text is taken as one sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import ctranslate2
import grpc
import sentencepiece

from bench.ctranslate2_runtime import open_translator, tokens
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from training.vocabulary import END_ID

MAX_TARGET_TOKENS = 256
"""CTranslate2's own default."""
DEFAULT_LENGTH_PENALTY = 0.6
SUPPORTED = {"beam_size", "length_penalty", "max_target_tokens", "min_target_tokens"}

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


@dataclass(frozen=True)
class Options:
    """What the sentences of a batch have in common."""

    beam_size: int
    length_penalty: float
    max_target_tokens: int | None
    min_target_tokens: int

    @classmethod
    def of(cls, message: pb.DecodingOptions) -> Options:
        """The options of a request, with the defaults that the protos document."""
        return cls(
            beam_size=message.beam_size if message.HasField("beam_size") else 1,
            length_penalty=message.length_penalty if message.HasField("length_penalty") else DEFAULT_LENGTH_PENALTY,
            max_target_tokens=message.max_target_tokens if message.HasField("max_target_tokens") else None,
            min_target_tokens=message.min_target_tokens,
        )

    def limit(self, source: Sequence[str]) -> int:
        """Most target tokens of a source's translation; the default is our service's."""
        default = max(self.min_target_tokens, min(MAX_TARGET_TOKENS, 3 * len(source) + 16))
        return self.max_target_tokens or default


@dataclass(frozen=True)
class Sentence:
    """A sentence that waits for its translation."""

    source: list[str]
    options: Options
    arrival: float
    """Seconds on the event loop's clock."""
    translation: asyncio.Future[list[int]]


class Batcher:
    """Gathers sentences and translates batches, one after the other for each of the translator's workers."""

    def __init__(self, translator: ctranslate2.Translator, max_batch: int, max_wait_seconds: float) -> None:
        self._translator = translator
        self._gathering = asyncio.Lock()
        self._max_batch = max_batch
        self._max_wait = max_wait_seconds
        self._queue: asyncio.Queue[Sentence] = asyncio.Queue()
        self._postponed: deque[Sentence] = deque()
        """Sentences left out of a batch because their options differ; the oldest opens the next batch."""

    async def translate(self, source: list[str], options: Options) -> list[int]:
        """Ids of a translation, without its end.

        Args:
            source: tokens of one sentence, its end included.
            options: how to decode.
        """
        loop = asyncio.get_running_loop()
        sentence = Sentence(source, options, loop.time(), loop.create_future())
        self._queue.put_nowait(sentence)
        return await sentence.translation

    async def run(self) -> None:
        """Translate until cancelled; run it once for each worker."""
        with ThreadPoolExecutor(max_workers=1) as executor:
            while True:
                async with self._gathering:
                    gathered = await self._gather()
                batch = [sentence for sentence in gathered if not sentence.translation.done()]  # others were cancelled
                if not batch:
                    continue
                try:
                    translations = await asyncio.get_running_loop().run_in_executor(executor, self._translate, batch)
                except Exception as error:  # the callers get it; the next batch may do better
                    _fail(batch, error)
                else:
                    _resolve(batch, translations)

    async def _gather(self) -> list[Sentence]:
        """The oldest sentence, and others with its options that wait or come before it has waited long enough."""
        first = self._postponed.popleft() if self._postponed else await self._queue.get()
        batch = [first]
        older, self._postponed = self._postponed, deque()
        while len(batch) < self._max_batch:
            sentence = older.popleft() if older else await self._next(first.arrival + self._max_wait)
            if sentence is None:
                break
            (batch if sentence.options == first.options else self._postponed).append(sentence)
        self._postponed.extend(older)
        return batch

    async def _next(self, deadline: float) -> Sentence | None:
        """The next sentence; None where none came before the deadline, a time on the event loop's clock."""
        if not self._queue.empty():
            return self._queue.get_nowait()
        try:
            async with asyncio.timeout_at(deadline):
                return await self._queue.get()
        except TimeoutError:
            return None

    def _translate(self, batch: list[Sentence]) -> list[list[int]]:
        options = batch[0].options
        limits = [options.limit(sentence.source) for sentence in batch]
        results = self._translator.translate_batch(
            [sentence.source for sentence in batch],
            beam_size=options.beam_size,
            length_penalty=options.length_penalty,
            max_decoding_length=max(limits),  # CTranslate2 has one for the batch
            min_decoding_length=options.min_target_tokens,
        )
        return [
            [int(token) for token in result.hypotheses[0][:limit]]
            for result, limit in zip(results, limits, strict=True)
        ]


class Servicer(pb_grpc.TranslationServiceServicer):
    """Answers Translate; what is not built here ends with UNIMPLEMENTED."""

    def __init__(self, batcher: Batcher, source_tokenizer: Path, target_tokenizer: Path) -> None:
        self._batcher = batcher
        self._source = sentencepiece.SentencePieceProcessor(model_file=str(source_tokenizer))
        self._target = sentencepiece.SentencePieceProcessor(model_file=str(target_tokenizer))

    async def Translate(self, request: pb.TranslateRequest, context: Context) -> pb.TranslateResponse:  # noqa: N802
        """One text or several, side by side."""
        unsupported = {field.name for field, _ in request.decoding.ListFields()} - SUPPORTED
        if unsupported:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"not built here: {', '.join(sorted(unsupported))}")
        options = Options.of(request.decoding)
        results = await asyncio.gather(*(self._result(text, options) for text in request.texts))
        return pb.TranslateResponse(results=results, model="ctranslate2", model_version=ctranslate2.__version__)

    async def _result(self, text: str, options: Options) -> pb.TranslationResult:
        if not text.strip():
            return pb.TranslationResult(hypotheses=[pb.Hypothesis(text=text)])
        source = tokens([*self._source.encode(text), END_ID])
        target = await self._batcher.translate(source, options)
        return pb.TranslationResult(
            hypotheses=[pb.Hypothesis(text=self._target.decode(target))],
            num_source_tokens=len(source),
            num_target_tokens=len(target),
        )


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m bench.ctranslate2_server", description=__doc__)
    parser.add_argument("model", type=Path, help="directory that bench.ctranslate2_model.convert wrote")
    parser.add_argument("--source-tokenizer", type=Path, required=True, help="SentencePiece model")
    parser.add_argument("--target-tokenizer", type=Path, required=True, help="SentencePiece model")
    parser.add_argument("--precision", default="int8", choices=["float32", "int8"])
    parser.add_argument("--threads", type=int, default=2, help="threads of each worker")
    parser.add_argument("--workers", type=int, default=1, help="batches translated at a time")
    parser.add_argument("--max-batch", type=int, default=32, help="most sentences translated together")
    parser.add_argument("--max-wait-ms", type=float, default=2.0, help="longest wait for others, in milliseconds")
    parser.add_argument("--address", default="127.0.0.1:0", help="host:port; port 0 takes a free one")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    translator = open_translator(options.model, options.precision, options.threads, options.workers)
    batcher = Batcher(translator, options.max_batch, options.max_wait_ms / 1000)
    servicer = Servicer(batcher, options.source_tokenizer, options.target_tokenizer)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    pb_grpc.add_TranslationServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port(options.address)
    await server.start()
    batches = [asyncio.create_task(batcher.run()) for _ in range(options.workers)]
    await batcher.translate(tokens([END_ID]), Options.of(pb.DecodingOptions()))  # warms up
    print(f"listening on {options.address.rpartition(':')[0]}:{port}", flush=True)
    await stop.wait()
    await server.stop(grace=2)
    for task in batches:
        task.cancel()
    await asyncio.gather(*batches, return_exceptions=True)


def _resolve(batch: list[Sentence], translations: list[list[int]]) -> None:
    for sentence, translation in zip(batch, translations, strict=True):
        if not sentence.translation.done():
            sentence.translation.set_result(translation)


def _fail(batch: list[Sentence], error: Exception) -> None:
    for sentence in batch:
        if not sentence.translation.done():
            sentence.translation.set_exception(error)


if __name__ == "__main__":
    main()
