from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from export.__main__ import main
from export.errors import ExportError
from export.importers.marian import import_marian
from export.importers.marian_weights import marian_positions
from export.parity import decode_with_engine, run_engine
from service.bundle.bundle import Bundle
from service.bundle.runtime import Runtime
from service.request import DecodingOptions, LengthNormalization
from tests.export.marian import MAX_TOKENS, Theirs, random_texts, write_marian
from training.checkpoint import Checkpoint
from training.search import greedy
from training.vocabulary import BEGIN_ID, END_ID

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")

MODELS: dict[str, dict[str, object]] = {
    "shared": {"seed": 1},
    "separate": {"seed": 2, "is_separate": True, "activation_function": "gelu", "scale_embedding": False},
    "relu": {"seed": 3, "activation_function": "relu", "encoder_layers": 1},
    "untied": {"seed": 4, "tie_word_embeddings": False},
}


@dataclass(frozen=True)
class Imported:
    directory: Path
    theirs: Theirs
    checkpoint: Checkpoint

    def sources(self, texts: list[str]) -> list[list[int]]:
        return [[*ids, END_ID] for ids in self.checkpoint.source_vocabulary.encode(texts)]

    def target_ids(self, ids: object) -> list[int]:
        return self.theirs.ids(self.checkpoint.target_vocabulary, list(ids), is_target=True)  # type: ignore[call-overload]


@pytest.fixture(scope="module", params=MODELS)
def imported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    directory = tmp_path_factory.mktemp(request.param)
    theirs = write_marian(directory, **MODELS[request.param])  # type: ignore[arg-type]
    return Imported(directory, theirs, import_marian(directory))


def test_texts_become_the_ids_that_transformers_gives(imported: Imported) -> None:
    texts = [*random_texts(200, 1), "", " ", "ban  dar ", "ban\tdar", "漢字", "W", "→ →", "ﬁn ＷＷ", "n n", "ba ban"]
    if not imported.theirs.tokenizer.separate_vocabs:  # without the token in vocab.json, transformers reads <unk> there
        texts += [">>fra<< ban dar", ">>fra<<  ban", ">>por_BR<< dan", ">>xxx ban"]
    unknown = 0
    for text in texts:
        ids = imported.checkpoint.source_vocabulary.encode([text])[0]
        expected = imported.theirs.tokenizer(text)["input_ids"]
        ours = imported.theirs.ids(imported.checkpoint.source_vocabulary, ids, is_target=False)
        assert [*ours, imported.theirs.model.config.eos_token_id] == expected, text
        unknown += expected.count(1)
    assert unknown > 50


def test_targets_become_the_ids_that_transformers_gives(imported: Imported) -> None:
    vocabulary = imported.checkpoint.target_vocabulary
    for text in ("fac hüß", "wum  pok ", "fach 漢字 hac", "ban"):
        expected = imported.theirs.tokenizer(text_target=text)["input_ids"][:-1]
        assert imported.target_ids(vocabulary.encode([text])[0]) == expected, text


def test_greedy_in_pytorch_is_that_of_transformers(imported: Imported) -> None:
    model, texts = imported.checkpoint.build_model(), random_texts(20, 5)
    found = greedy(model, imported.sources(texts), [MAX_TOKENS] * len(texts))
    is_varied = set()
    for text, ids in zip(texts, found, strict=True):
        [(expected, _)] = imported.theirs.generate(imported.theirs.tokenizer(text)["input_ids"], num_beams=1)
        assert imported.target_ids(ids) == expected
        is_varied.add(tuple(expected))
    assert len(is_varied) > 10


def test_padding_has_a_share_of_the_probability_and_is_never_said(imported: Imported) -> None:
    model = imported.checkpoint.build_model()
    source = imported.sources(["ban dar"])[0]
    with torch.inference_mode():
        state = model.start(torch.tensor([source]), torch.tensor([len(source)]))
        log_probs = model.log_probs(model.step(torch.tensor([BEGIN_ID]), state))[0]
    assert log_probs[0] == float("-inf")
    assert 1e-3 < 1 - log_probs.exp().sum() < 1
    theirs = imported.theirs
    inputs = torch.tensor([theirs.tokenizer("ban dar")["input_ids"]])
    start = torch.tensor([[theirs.model.config.decoder_start_token_id]])
    with torch.inference_mode():
        expected = theirs.model(input_ids=inputs, decoder_input_ids=start).logits[0, -1].log_softmax(-1)
    known = imported.target_ids(range(1, len(log_probs)))
    for index, number in enumerate(known, start=1):
        if log_probs[index] > -1000:
            assert float(log_probs[index]) == pytest.approx(float(expected[number]), abs=1e-4)


@pytest.mark.parametrize(("name", "alpha"), [("shared", 1.0), pytest.param("separate", 0.4, marks=pytest.mark.slow)])
def test_the_served_engine_translates_as_transformers_does(name: str, alpha: float, tmp_path: Path) -> None:
    directory, bundle_directory = tmp_path / "marian", tmp_path / "bundle"
    theirs = write_marian(directory, **MODELS[name])  # type: ignore[arg-type]
    assert main(["--from", "marian", str(directory), str(bundle_directory), "--target-language", "pt"]) == 0
    bundle = Bundle.load(bundle_directory, Runtime.start("cpu"))
    manifest, target = bundle.manifest, bundle.target_tokenizer
    assert (manifest.source_language, manifest.target_language, manifest.name) == ("en", "pt", "marian-en-pt")
    assert manifest.parity.identical_translations == 32
    ours = Imported(directory, theirs, import_marian(directory))
    texts = random_texts(30, 6)
    sources = [[*bundle.source_tokenizer.encode(text), END_ID] for text in texts]
    for text, ids in zip(texts, decode_with_engine(bundle, sources, MAX_TOKENS), strict=True):
        [(expected, _)] = theirs.generate(theirs.tokenizer(text)["input_ids"], num_beams=1)
        assert ours.target_ids(ids) == expected
        assert target.decode(ids).strip() == theirs.tokenizer.decode(expected, skip_special_tokens=True)
    options = DecodingOptions(
        MAX_TOKENS,
        beam_size=4,
        num_hypotheses=4,
        length_penalty=alpha,
        length_normalization=LengthNormalization.TOKENS,
    )
    for text, beams in zip(texts, run_engine(bundle, sources, options), strict=True):
        expected_beams = theirs.generate(
            theirs.tokenizer(text)["input_ids"],
            num_beams=4,
            num_return_sequences=4,
            early_stopping=True,
            length_penalty=alpha,
        )
        assert [ours.target_ids(found.token_ids) for found in beams] == [ids for ids, _ in expected_beams]
        scores = [score for _, score in expected_beams]
        assert [found.score for found in beams] == pytest.approx(scores, abs=1e-3)


def test_positions_are_those_of_transformers() -> None:
    from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding

    expected = MarianSinusoidalPositionalEmbedding(30, 16).create_weight()
    torch.testing.assert_close(marian_positions(30, 16), expected, atol=1e-6, rtol=0)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("written")
    write_marian(directory, 1)
    return directory


def test_sharded_and_half_precision_weights(written: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(written, tmp_path / "copy")
    tensors = load_file(copy / "model.safetensors")
    whole = import_marian(copy).weights
    (copy / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: tensors[name].half().contiguous() for name in part}, copy / file)
    weight_map = {name: file for file, part in parts.items() for name in part}
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    found = import_marian(copy).weights
    assert found.keys() == whole.keys()
    for name, weight in whole.items():
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], weight, atol=2e-3, rtol=2e-3)
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../model-1.safetensors"}}))
    with pytest.raises(ExportError, match="names a file elsewhere"):
        import_marian(copy)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "source.spm", "target.spm", "vocab.json"])
def test_a_missing_or_damaged_file_is_named(
    written: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(written, tmp_path / "copy")
    (copy / name).write_bytes(b"\x07nonsense")
    assert main(["--from", "marian", str(copy), str(tmp_path / "bundle")]) == 2
    assert name in capsys.readouterr().err
    (copy / name).unlink()
    assert main(["--from", "marian", str(copy), str(tmp_path / "bundle")]) == 2
    assert f"{name} is missing" in capsys.readouterr().err


def test_pickles_are_not_read(written: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(written, tmp_path / "copy")
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ExportError, match=r"pytorch_model.bin is a pickle.*convert it to safetensors"):
        import_marian(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "bart"}, "model_type"),
        ({"activation_function": "tanh"}, "activation_function"),
        ({"normalize_before": True}, "normalize_before true"),
        ({"static_position_embeddings": False}, "static_position_embeddings"),
        ({"decoder_ffn_dim": 64}, "encoder_ffn_dim and decoder_ffn_dim"),
        ({"eos_token_id": [0, 1]}, "eos_token_id"),
        ({"encoder_attention_heads": 3, "decoder_attention_heads": 3}, "num_heads"),
        ({"encoder_layers": 3}, "the weights lack model.encoder.layers.2"),
        ({"decoder_layers": 1}, "the weights hold what .* model.decoder.layers.1"),
        ({"vocab_size": 40}, "do not number 40 pieces"),
        ({"vocab_size": 4000}, "4000"),
    ],
)
def test_what_a_config_may_not_say(written: Path, tmp_path: Path, change: dict[str, object], message: str) -> None:
    copy = shutil.copytree(written, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text()) | change
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ExportError, match=message):
        import_marian(copy)


def test_languages_and_banned_tokens(written: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(written, tmp_path / "copy")
    (copy / "tokenizer_config.json").unlink()
    with pytest.raises(ExportError, match="give --source-language and --target-language"):
        import_marian(copy)
    assert import_marian(copy, "ko", "en").recipe.name == "marian-ko-en"
    (copy / "generation_config.json").write_text(json.dumps({"bad_words_ids": [[7, 8]]}))
    with pytest.raises(ExportError, match="bad_words_ids must ban padding alone"):
        import_marian(copy, "ko", "en")


def test_languages_are_not_for_checkpoints_of_our_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "model.pt"), str(tmp_path / "out"), "--source-language", "en"]) == 2
    assert "go with --from" in capsys.readouterr().err
