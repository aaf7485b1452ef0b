"""Trained models of PyPI packages, imported and served; what they should say is computed here with NumPy alone."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from export.__main__ import main
from export.importers import netra
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1.translation_service_pb2_grpc import TranslationServiceStub
from tests.conftest import Serve

ENGLISH = "translation activationist hello computer attention sequence xylophone queue of photograph a seq".split()
LATIN = "khmer phnompenh soksabay aprel srolanh angkor battambang siemreap chhnang a kampong qqq".split()
MAX_TOKENS = 18


def folder(package: str, *below: str) -> Path:
    """Where a package is installed; it is not imported, for it asks for what is not."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0], *below)


def sigmoid(values: Any) -> Any:
    return 1 / (1 + np.exp(-values))


class G2p:
    """The arithmetic of g2p.py."""

    def __init__(self) -> None:
        with np.load(folder("g2p_en") / "checkpoint20.npz") as file:
            self.arrays = {name: file[name] for name in file.files}
        symbols = json.loads((Path(netra.__file__).parent / "g2p.json").read_text())
        self.letters, self.sounds = symbols["source"], symbols["target"]

    def cell(self, prefix: str, inputs: Any, hidden: Any) -> Any:
        arrays = self.arrays
        from_input = arrays[f"{prefix}_w_ih"] @ inputs + arrays[f"{prefix}_b_ih"]
        from_hidden = arrays[f"{prefix}_w_hh"] @ hidden + arrays[f"{prefix}_b_hh"]
        (ri, zi, ni), (rh, zh, nh) = np.split(from_input, 3), np.split(from_hidden, 3)
        update = sigmoid(zi + zh)
        return (1 - update) * np.tanh(ni + sigmoid(ri + rh) * nh) + update * hidden

    def __call__(self, word: str) -> str:
        hidden = np.zeros(self.arrays["enc_w_hh"].shape[1], np.float32)
        for letter in [*word, "</s>"]:
            hidden = self.cell("enc", self.arrays["enc_emb"][self.letters.index(letter)], hidden)
        said, last = [], 2
        while len(said) < MAX_TOKENS:
            hidden = self.cell("dec", self.arrays["dec_emb"][last], hidden)
            last = int((self.arrays["fc_w"] @ hidden + self.arrays["fc_b"]).argmax())
            if last == 3:
                break
            said.append(self.sounds[last])
        return " ".join(said)


class Netra:
    """The arithmetic of its Keras layers: GRU with reset_after, AdditiveAttention with a scale, padding unmasked."""

    def __init__(self) -> None:
        content = zipfile.ZipFile(folder("khmer_transliterator", "weights", netra.FILE_NAME)).read("model.weights.h5")
        self.file = h5py.File(io.BytesIO(content))["layers"]
        self.symbols = json.loads((Path(netra.__file__).parent / "netra.json").read_text())

    def cell(self, name: str, inputs: Any, hidden: Any) -> Any:
        kernel, recurrent, biases = (self.file[f"{name}/cell/vars/{index}"][()] for index in range(3))
        (zi, ri, ni), (zh, rh, nh) = (
            np.split(inputs @ kernel + biases[0], 3),
            np.split(hidden @ recurrent + biases[1], 3),
        )
        update = sigmoid(zi + zh)
        return update * hidden + (1 - update) * np.tanh(ni + sigmoid(ri + rh) * nh)

    def encode(self, word: str) -> Any:
        ids = [self.symbols["source"].index(letter) + 1 for letter in word]
        embedded = self.file["embedding/vars/0"][()][ids + [0] * (self.symbols["length"] - len(ids))]
        columns = []
        for direction, order in (("forward", 1), ("backward", -1)):
            hidden, states = np.zeros(64, np.float32), []
            for inputs in embedded[::order]:
                hidden = self.cell(f"bidirectional/{direction}_layer", inputs, hidden)
                states.append(hidden)
            columns.append(np.array(states)[::order])
        dense = self.file["time_distributed/layer/vars"]
        return np.concatenate(columns, axis=1) @ dense["0"][()] + dense["1"][()]

    def __call__(self, word: str) -> str:
        memory, symbols = self.encode(word), self.symbols["target"]
        begin, end = symbols.index("\t") + 1, symbols.index("\n") + 1
        hidden, last, said = np.zeros(64, np.float32), begin, []
        while len(said) < MAX_TOKENS:
            hidden = self.cell("gru", self.file["embedding_1/vars/0"][()][last], hidden)
            scores = np.tanh(hidden + memory) @ self.file["additive_attention/vars/0"][()]
            weights = np.exp(scores - scores.max())
            context = weights / weights.sum() @ memory
            dense = self.file["dense/vars"]
            last = int((np.concatenate((hidden, context)) @ dense["0"][()] + dense["1"][()]).argmax())
            if last == end:
                break
            said.append(symbols[last - 1])
        return "".join(said)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("packages")
    folders = {"g2p-en": folder("g2p_en"), "netra-transliterate": folder("khmer_transliterator", "weights")}
    for name, place in folders.items():
        assert main(["--from", name, str(place), str(directory / name), "--licence", "by its package"]) == 0
    return directory


@pytest.mark.parametrize(("name", "words", "expect"), [("g2p-en", ENGLISH, G2p), ("netra-transliterate", LATIN, Netra)])
async def test_the_server_says_what_their_own_arithmetic_says(
    packages: Path, serve: Serve, name: str, words: list[str], expect: Callable[[], Callable[[str], str]]
) -> None:
    compute = expect()
    expected = [compute(word) for word in words]
    assert len(set(expected)) == len(words)
    async with serve(models=packages) as (_, channel):
        request = pb.TranslateRequest(
            texts=words,
            model_selection=pb.ModelSelection(model=name),
            decoding=pb.DecodingOptions(max_target_tokens=MAX_TOKENS),
        )
        response = await TranslationServiceStub(channel).Translate(request)
    found = [result.hypotheses[0].text for result in response.results]
    assert found == expected


def test_what_they_read_is_normalised(packages: Path) -> None:
    from service.bundle.tokenizer import Tokenizer

    for name in ("g2p-en", "netra-transliterate"):
        tokenizer = Tokenizer((packages / name / "source.model").read_bytes(), name)
        assert tokenizer.encode("Phnom-Penh 2!") == tokenizer.encode("phnompenh")
        assert len(tokenizer.encode("phnompenh")) == 9
        assert "Not by this project. Data: " in (packages / name / "MODEL_CARD.md").read_text()


def test_wrong_folders_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("g2p-en", "netra-transliterate"):
        assert main(["--from", name, str(tmp_path), str(tmp_path / "bundle")]) == 2
        error = capsys.readouterr().err
        assert name in error
        assert str(tmp_path) in error


async def test_attention_is_what_the_model_has(packages: Path, serve: Serve) -> None:
    async with serve(models=packages) as (_, channel):
        stub = TranslationServiceStub(channel)
        selection = pb.ModelSelection(model="netra-transliterate")
        seen = await stub.Attend(pb.AttendRequest(source="angkor", model_selection=selection))
        assert [(one.kind, one.layer, one.head) for one in seen.maps] == [(pb.ATTENTION_KIND_CROSS, 0, 0)]
        weights = np.array(seen.maps[0].weights).reshape(seen.maps[0].rows, seen.maps[0].columns)
        assert weights.shape == (len(seen.target_tokens), len("angkor") + 1)
        np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-5)
        for name, has_links in (("netra-transliterate", True), ("g2p-en", False)):
            request = pb.TranslateRequest(
                texts=["angkor"],
                model_selection=pb.ModelSelection(model=name),
                return_options=pb.ReturnOptions(alignment=True),
            )
            response = await stub.Translate(request)
            assert bool(response.results[0].hypotheses[0].alignment) == has_links
