"""A small model that describes pictures, with random weights, as PyTorch runs it and as a bundle.

A picture of 16 x 24 pixels is a grid of 2 x 3 cells; the encoder knows the mean colour of each and where it is. The
decoder is Bahdanau's, as training has it and export writes it. N pictures, S cells, T tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from export import graph_files
from export.exportable import Exportable
from export.language_tags import without_tags
from export.recurrence import BATCH_AXIS, Recurrence, write_recurrence
from export.rnn import DecoderGraph, ExplainStep, StateLayout
from export.write_graph import write_graph
from export.writer import UNCHECKED
from service.bundle.image_input import ImageInput
from service.bundle.manifest import (
    IMAGE_SCHEMA_VERSION,
    Files,
    Limits,
    Manifest,
    VocabularySpec,
    describe_file,
)
from service.bundle.provenance import Training
from training.model_settings import RnnSettings
from training.recurrent_encoder import EncodedSource
from training.rnn import Rnn
from training.vocabulary import BEGIN_ID, END_ID, PAD_ID, UNKNOWN_ID, Vocabulary, VocabularySettings

NAME = "captioner"
"""Before `exact` and `small`: what is the first model by name is not what translates."""
HEIGHT, WIDTH, ROWS, COLUMNS, CELL = 16, 24, 2, 3, 8
NUM_CELLS = ROWS * COLUMNS
IMAGE = ImageInput(height=HEIGHT, width=WIDTH, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), grid=(ROWS, COLUMNS))
TAGS = {"en": "⟦en⟧", "ko": "⟦ko⟧"}
MAX_TOKENS = 12
"""That are shown."""
WORDS = ["a red dog sees the blue cat, and a green bird eats", "빨간 개가 파란 고양이를 본다. 초록 새가 먹는다"]


class Cells(nn.Module):
    """Pixels to what the decoder attends to."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.memory_size = size
        self.color = nn.Linear(3, size)
        self.place = nn.Parameter(torch.randn(NUM_CELLS, size))

    def forward(self, pixels: Tensor) -> EncodedSource:
        colors = F.avg_pool2d(pixels, CELL).flatten(2).transpose(1, 2)  # (N, S, 3)
        memory = torch.tanh(self.color(colors) + self.place)
        return EncodedSource(memory, pixels.new_full(pixels.shape[:1], NUM_CELLS, dtype=torch.int64), [])

    def summary(self, encoded: EncodedSource) -> Tensor:
        return encoded.memory.mean(dim=1)


class PictureModel(Rnn):
    """Pictures in place of sentences."""

    encoder: Cells  # type: ignore[assignment]

    def __init__(self, vocabulary: Vocabulary) -> None:
        torch.manual_seed(5)
        settings = RnnSettings(embedding_size=16, hidden_size=24, readout_size=16, is_bidirectional=False, dropout=0.0)
        super().__init__(settings, 4, len(vocabulary), is_vocabulary_shared=False)
        self.encoder = Cells(settings.hidden_size)
        self.tags = {language: vocabulary.pieces().index(tag) for language, tag in TAGS.items()}
        with torch.no_grad():
            for parameter in self.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(4.0)  # so that captions differ, by picture and by language
            self.output.bias[[PAD_ID, UNKNOWN_ID, BEGIN_ID, *self.tags.values()]] = -40.0
            self.output.bias[END_ID] += 2.0
        self.eval()

    @torch.inference_mode()
    def describe(self, pixels: np.ndarray, language: str, max_tokens: int = MAX_TOKENS) -> tuple[list[int], Tensor]:
        """The most probable tokens after the language's tag, and the attention (T, S) when each was chosen."""
        state = self.begin(self.encoder(torch.from_numpy(IMAGE.normalized([pixels]))))
        tokens, weights = [], []
        token = BEGIN_ID
        for chosen in [self.tags[language]] + [None] * (max_tokens + 1):
            log_probs = self.log_probs(self.step(torch.tensor([token]), state))[0]
            token = int(log_probs.argmax()) if chosen is None else chosen
            if chosen is None:
                tokens.append(token)
                weights.append(state.weights[0, 0])
            if token == END_ID:
                break
        return [token for token in tokens if token != END_ID][:max_tokens], torch.stack(weights)

    def next_log_probs(self, pixels: np.ndarray, language: str) -> object:
        """For `training.search.beam_search`: what comes after the tag and tokens."""
        normalized = torch.from_numpy(IMAGE.normalized([pixels]))

        @torch.inference_mode()
        def after(prefixes: Sequence[tuple[int, ...]]) -> Tensor:
            rows = []
            for prefix in prefixes:
                state = self.begin(self.encoder(normalized))
                inputs = torch.tensor([[BEGIN_ID, self.tags[language], *prefix]])
                rows.append(self.log_probs(self.decoder(self.embedding(inputs), state)[:, -1]))
            return torch.cat(rows)

        return after


def vocabulary() -> Vocabulary:
    return Vocabulary.train(
        WORDS * 4, VocabularySettings(size=90, kind="bpe", byte_fallback=False), symbols=list(TAGS.values())
    )


def write_bundle(directory: Path) -> PictureModel:
    """Write the model's bundle; returns the model."""
    directory.mkdir()
    known = vocabulary()
    model = PictureModel(known)
    layout = StateLayout(model)
    explain = Recurrence(
        _ExplainStart(model, layout), ExplainStep(model, layout), _ExplainEnd(model),
        layout.num_hidden, fixed_axes=[BATCH_AXIS, *layout.source_axes()],
        output_axes=[BATCH_AXIS, layout.weight_axes()],
    )  # fmt: skip
    parts = Exportable("rnn", _Encoder(model, layout), DecoderGraph(model, layout), explain, layout.spec("float32"))
    pixels, target_ids = torch.zeros(3, 3, HEIGHT, WIDTH), torch.full((3, 5), 4)
    names = [array.name for array in parts.state]
    write_graph(parts.encoder, (pixels,), [BATCH_AXIS], ["pixels"], names, directory / "encoder.onnx")
    graph_files.write_decoder(parts, directory / "decoder.onnx")
    inputs = {"pixels": pixels, "target_ids": target_ids}
    outputs = ["token_log_probs", "encoder_attention", "decoder_attention", "cross_attention"]
    write_recurrence(explain, inputs, [BATCH_AXIS, {0: "batch", 1: "target"}], outputs, directory / "explain.onnx")
    without_tags(known, TAGS.values()).save(directory / "target.model")
    _describe(model, parts, directory, len(known)).save(directory)
    return model


def random_pixels(number: int, seed: int) -> list[np.ndarray]:
    """Pictures (H, W, 3) whose cells differ in colour."""
    generator = np.random.default_rng(seed)
    colors = generator.integers(0, 256, (number, ROWS, COLUMNS, 3), dtype=np.uint8)
    return [np.kron(one, np.ones((CELL, CELL, 1), np.uint8)) for one in colors]


def png(pixels: np.ndarray) -> bytes:
    """A file that holds exactly these pixels."""
    return encoded(Image.fromarray(pixels))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture's file."""
    file = BytesIO()
    image.save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


class _Encoder(nn.Module):
    def __init__(self, model: PictureModel, layout: StateLayout) -> None:
        super().__init__()
        self.model, self.layout = model, layout

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        state = self.model.begin(self.model.encoder(pixels))
        return *self.layout.of_source(state), *self.layout.of_hypothesis(state)


class _ExplainStart(nn.Module):
    def __init__(self, model: PictureModel, layout: StateLayout) -> None:
        super().__init__()
        self.model, self.layout = model, layout

    def forward(self, pixels: Tensor, target_ids: Tensor) -> tuple[Tensor, ...]:
        state = self.model.begin(self.model.encoder(pixels))
        embedded = self.model.embedding(target_ids[:, :-1]).transpose(0, 1)
        return *self.layout.of_hypothesis(state), embedded, state.lengths, *self.layout.of_source(state)


class _ExplainEnd(nn.Module):
    def __init__(self, model: PictureModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, outputs: list[Tensor], pixels: Tensor, target_ids: Tensor) -> tuple[Tensor, ...]:
        log_probs = self.model.log_probs(outputs[0].transpose(0, 1))
        chosen = log_probs.gather(2, target_ids[:, 1:, None])[:, :, 0]
        batch, length = pixels.shape[0], target_ids.shape[1] - 1
        encoder_maps = log_probs.new_zeros(batch, 0, 0, NUM_CELLS, NUM_CELLS)
        decoder_maps = log_probs.new_zeros(batch, 0, 0, length, length)
        return chosen, encoder_maps, decoder_maps, outputs[1].transpose(0, 1)[:, None, None]


def _describe(model: PictureModel, parts: Exportable, directory: Path, vocabulary_size: int) -> Manifest:
    names = ("encoder.onnx", "decoder.onnx", "explain.onnx", "target.model")
    encoder, decoder, explain, target = (describe_file(directory / name) for name in names)
    return Manifest(
        schema_version=IMAGE_SCHEMA_VERSION,
        name=NAME,
        version="1",
        architecture=parts.architecture,
        precision="float32",
        files=Files(encoder=encoder, decoder=decoder, explain=explain, target_tokenizer=target),
        limits=Limits(max_source_tokens=NUM_CELLS, max_target_tokens=MAX_TOKENS + 1),
        vocabulary=VocabularySpec(
            source_size=0,
            target_size=vocabulary_size,
            begin_id=BEGIN_ID,
            end_id=END_ID,
            pad_id=PAD_ID,
            unknown_id=UNKNOWN_ID,
        ),
        state=parts.state,
        parity=UNCHECKED,
        training=Training(
            recipe={}, data="none", data_sha256="none", commit="none", steps=0, target_tokens=0, hours=0.0
        ),
        licence="none",
        image=IMAGE,
        caption_languages=model.tags,
    )
