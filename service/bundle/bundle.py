"""A bundle, loaded: verified files, open sessions, tokenizers."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import onnxruntime as ort

from service.bundle.assignment import AssignmentError
from service.bundle.manifest import File, Manifest, load_manifest, read_file
from service.bundle.runtime import Runtime, captures
from service.bundle.session_options import Role
from service.bundle.tokenizer import Tokenizer
from service.device.device import Placement
from service.device.row_graphs import RowGraphs
from service.errors import BundleError, DeviceError

logger = logging.getLogger(__name__)

STEP_INPUTS = frozenset({"token_ids", "positions", "source_lengths", "num_candidates"})
TEXT_INPUTS = frozenset({"source_ids", "source_lengths"})
IMAGE_INPUTS = frozenset({"pixels"})
EXPLAIN_INPUTS = frozenset({"target_ids"})
"""Beside those of the encoder."""
STEP_OUTPUTS = frozenset({"candidate_ids", "candidate_log_probs", "log_probs"})


@dataclass(frozen=True)
class Bundle:
    """An exported model, ready to run."""

    manifest: Manifest
    encoder: ort.InferenceSession
    decoder: ort.InferenceSession
    explain: ort.InferenceSession
    target_tokenizer: Tokenizer
    load_seconds: float
    tokenizer_of_source: Tokenizer | None = None
    """None where the model reads pictures."""
    placement: Placement | None = None
    """Where the graphs run; None: on the CPU."""
    row_graphs: RowGraphs | None = None
    """Where there is a placement."""

    @property
    def device(self) -> str:
        """Where the graphs run: cpu or cuda."""
        return self.placement.device.name if self.placement else "cpu"

    def running(self) -> AbstractContextManager[None]:
        """Around a run of a graph that is not the engine's."""
        return self.placement.gate.running() if self.placement else nullcontext()

    @property
    def source_tokenizer(self) -> Tokenizer:
        """Of a model that reads text."""
        assert self.tokenizer_of_source is not None
        return self.tokenizer_of_source

    @classmethod
    def load(cls, directory: Path, runtime: Runtime) -> Bundle:
        """Verify a directory against its manifest and open it.

        Raises:
            BundleError: files, hashes, schema or state spec do not match; the message says what to do.
        """
        return cls.open(directory, load_manifest(directory), runtime)

    @classmethod
    def open(cls, directory: Path, manifest: Manifest, runtime: Runtime) -> Bundle:
        """The same where the manifest is read already.

        On an accelerator that is not required, graphs that cannot run there run on the CPU, and the log says why. Too
        little memory there is an error all the same.
        """
        try:
            return cls._open(directory, manifest, runtime, runtime.place())
        except DeviceError as error:
            raise BundleError(f"{directory} cannot be placed on {runtime.device}: {error}") from error
        except AssignmentError as error:
            reason = f"{error}; its precision is {manifest.precision}"
            if runtime.is_required:
                raise BundleError(
                    f"{reason}: export the checkpoint for the GPU, python -m export … --precision float16, or serve "
                    "this bundle with --device cpu"
                ) from error
            logger.warning("%s is served on the CPU: %s", manifest.name, reason)
        return cls._open(directory, manifest, runtime, None)

    @classmethod
    def _open(cls, directory: Path, manifest: Manifest, runtime: Runtime, placement: Placement | None) -> Bundle:
        started = time.perf_counter()
        files = manifest.files

        # Each file's bytes are let go before the next is read.
        def graph(file: File, role: Role) -> ort.InferenceSession:
            return runtime.open(read_file(directory, file), str(directory / file.name), role, placement)

        def tokenizer(file: File) -> Tokenizer:
            return Tokenizer(read_file(directory, file), str(directory / file.name))

        encoder, decoder = graph(files.encoder, "encoder"), graph(files.decoder, "decoder")
        if placement is not None:
            placement = replace(placement, has_graphs=captures(decoder))
        bundle = cls(
            manifest=manifest,
            encoder=encoder,
            decoder=decoder,
            explain=graph(files.explain, "explain"),
            tokenizer_of_source=(
                tokenizer(files.source_tokenizer) if isinstance(files.source_tokenizer, File) else None
            ),
            target_tokenizer=tokenizer(files.target_tokenizer),
            load_seconds=time.perf_counter() - started,
            placement=placement,
            row_graphs=(
                RowGraphs.open(lambda content, name: runtime.open(content, name, "rows", placement))
                if placement is not None
                else None
            ),
        )
        bundle.check(directory)
        return bundle

    def check(self, directory: Path) -> None:
        """Compare the graphs with the state spec and the tokenizers with the vocabulary.

        Raises:
            BundleError: they do not fit together.
        """
        state = {array.name for array in self.manifest.state}
        updated = {name for array in self.manifest.state for name in array.outputs}
        inputs = {value.name for value in self.decoder.get_inputs()}
        outputs = {value.name for value in self.decoder.get_outputs()}
        encoded = {value.name for value in self.encoder.get_outputs()}
        _expect(directory, "decoder inputs", state <= inputs <= state | STEP_INPUTS, inputs ^ (state | STEP_INPUTS))
        _expect(directory, "decoder outputs", outputs == updated | STEP_OUTPUTS, outputs ^ (updated | STEP_OUTPUTS))
        from_encoder = {array.name for array in self.manifest.state if array.is_from_encoder}
        _expect(directory, "encoder outputs", encoded == from_encoder, encoded ^ from_encoder)
        self._check_sources(directory)
        vocabulary, source = self.manifest.vocabulary, self.tokenizer_of_source
        sizes = (source.size if source else 0, self.target_tokenizer.size)
        expected = (vocabulary.source_size, vocabulary.target_size)
        _expect(directory, f"vocabulary sizes {expected}", sizes == expected, {str(size) for size in sizes})
        self._check_alignment(directory)

    def _check_alignment(self, directory: Path) -> None:
        alignment = self.manifest.alignment
        if alignment is msgspec.UNSET:
            return
        shapes = {value.name: value.shape for value in self.explain.get_outputs()}
        lengths = shapes.get("cross_attention", ())[1:3]
        for name, index, length in zip(("layer", "head"), (alignment.layer, alignment.head), lengths, strict=False):
            if index is not None and isinstance(length, int) and index >= length:
                raise BundleError(
                    f"{directory}: alignment.{name} {index} in the manifest, where the model has {length}: "
                    "choose again with python -m export alignment"
                )

    def _check_sources(self, directory: Path) -> None:
        """What encoder and explain read: text, or pictures of the manifest's size."""
        image = self.manifest.image
        expected = TEXT_INPUTS if image is msgspec.UNSET else IMAGE_INPUTS
        for name, session, others in (
            ("encoder", self.encoder, frozenset()),
            ("explain", self.explain, EXPLAIN_INPUTS),
        ):
            read = {value.name for value in session.get_inputs()}
            # An encoder of text need not ask for lengths.
            fits = others | (expected & {"source_ids", "pixels"}) <= read <= expected | others
            _expect(directory, f"{name} inputs", fits, read ^ (expected | others))
            if image is not msgspec.UNSET:
                shape = next(tuple(value.shape[1:]) for value in session.get_inputs() if value.name == "pixels")
                size = (3, image.height, image.width)
                fits = len(shape) == 3 and all(
                    not isinstance(length, int) or length == wanted for length, wanted in zip(shape, size, strict=True)
                )
                _expect(directory, f"{name} pixels {size}", fits, {str(shape)})


def _expect(directory: Path, what: str, holds: bool, difference: set[str] | frozenset[str]) -> None:
    if not holds:
        names = ", ".join(sorted(difference))
        raise BundleError(f"{directory}: {what} do not match the manifest ({names}): export the bundle again")
