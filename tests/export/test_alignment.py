"""The choice of the attention that alignments are drawn from."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from export.__main__ import main
from export.alignment.choice import compare
from export.alignment.held_out import HeldOutPair, of_files
from export.alignment.ibm1 import agreed_links, posteriors
from export.alignment.reference import references
from service.api.explanation import align
from service.bundle.bundle import Bundle
from service.bundle.manifest import Alignment, Manifest, load_manifest
from service.bundle.runtime import Runtime
from service.errors import BundleError
from tests import synthetic


def test_model_1_finds_the_words_of_a_cipher() -> None:
    generator = random.Random(0)
    sources = [generator.sample(range(20), generator.randint(2, 8)) for _ in range(200)]
    targets = [[token + 100 for token in reversed(source)] for source in sources]
    for source, shares in zip(sources, posteriors(sources, targets), strict=True):
        assert shares.shape == (len(source), len(source) + 1)
        assert shares.sum(axis=1) == pytest.approx(1)
    expected = [{(i, len(source) - 1 - i) for i in range(len(source))} for source in sources]
    found = agreed_links(sources, targets)
    assert all(links <= right for links, right in zip(found, expected, strict=True))
    assert sum(map(len, found)) > 0.9 * sum(map(len, expected))


def test_model_1_of_nothing() -> None:
    assert agreed_links([], []) == []


CROSS = np.zeros((2, 2, 4, 5))
"""Layers, heads, three target tokens and the end, three source tokens after one of language, the end."""
for _row, _column in enumerate((3, 2, 1)):
    CROSS[0, 0, _row, _column] = 1.0  # looks when it predicts
    CROSS[0, 1, _row + 1, _column] = 1.5  # looks when it reads
    CROSS[1, :, _row, 0] = 1.0
REVERSED, LATE = [(2, 0), (1, 1), (0, 2)], [(2, 0), (2, 1), (1, 2)]


@pytest.mark.parametrize(
    ("alignment", "expected", "weight"),
    [
        (Alignment(layer=0, head=0), REVERSED, 1.0),
        (Alignment(layer=0, head=1, shift=1), REVERSED, 1.5),
        (Alignment(layer=0), LATE, 0.75),
        (Alignment(), LATE, 0.375),
        (Alignment(shift=1), REVERSED, 0.375),
        (None, [(0, 0), (0, 1), (0, 2)], 0.0),
    ],
)
def test_links_are_those_of_the_chosen_attention(
    alignment: Alignment | None, expected: list[tuple[int, int]], weight: float
) -> None:
    links = align(CROSS, alignment, num_prefix_tokens=1)
    assert [(link.source_index, link.target_index) for link in links] == expected
    assert links[-1].weight == weight


@pytest.fixture(scope="module")
def exact(models: Path) -> Bundle:
    return Bundle.load(models / "exact", Runtime.start("cpu"))


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{text}\t{synthetic.translate(text)}\n" for text in synthetic.sentences(150, seed=77)))
    return path


def test_export_chooses_by_the_pairs_that_training_kept(exact: Bundle, models: Path) -> None:
    chosen = exact.manifest.alignment
    assert isinstance(chosen, Alignment)
    assert chosen.num_links > 100
    assert chosen.agreement > 0.8
    assert f"- alignments: {chosen.description}, which finds" in (models / "exact/MODEL_CARD.md").read_text()


def test_the_best_is_at_least_as_good_as_what_was_used_before(exact: Bundle, pairs: Path) -> None:
    comparison = compare(exact, of_files(exact, [str(pairs)]))
    assert comparison is not None
    assert comparison.measured[0].agreement >= comparison.default.agreement
    assert len(comparison.measured) == 2 * (2 * 4 + 2 + 1)
    assert comparison.chosen.num_links == comparison.num_anchors + comparison.num_words


def test_spans_are_anchors_and_words_are_found(exact: Bundle, tmp_path: Path) -> None:
    sentences = [synthetic.with_placeholders(text, seed) for seed, text in enumerate(synthetic.sentences(120, seed=5))]
    (tmp_path / "spans.tsv").write_text("".join(f"{text}\t{synthetic.translate(text)}\n" for text in sentences))
    for one in references(exact, of_files(exact, [str(tmp_path / "spans.tsv")])):
        assert not one.anchors & one.words
        for source, target in one.anchors:
            texts = (
                exact.source_tokenizer.piece(one.pair.source_ids[source]),
                exact.target_tokenizer.piece(one.pair.target_ids[target]),
            )
            assert texts[0].strip("▁") == texts[1].strip("▁")
        symbols = [
            index for index, token in enumerate(one.pair.source_ids) if "⟦" in exact.source_tokenizer.piece(token)
        ]
        assert {source for source, _ in one.anchors} >= set(symbols)


def test_too_few_pairs_choose_nothing(exact: Bundle) -> None:
    assert compare(exact, []) is None
    assert compare(exact, [HeldOutPair((), (10, 11), (12, 13))]) is None


def test_the_command_rewrites_the_manifest_and_nothing_else(
    models: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(models / "exact", tmp_path / "copy")
    content = json.loads((copy / "manifest.json").read_text())
    chosen = content.pop("alignment")
    (copy / "manifest.json").write_text(json.dumps(content))
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    assert main(["alignment", str(copy), "--pairs", str(pairs), "--dry-run"]) == 0
    assert "(default)" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert main(["alignment", str(copy), "--pairs", str(pairs)]) == 0
    after = {path.name: path.read_bytes() for path in copy.iterdir()}
    rewritten = json.loads(after.pop("manifest.json"))
    del before["manifest.json"]
    assert after == before
    assert rewritten.pop("alignment")["agreement"] > 0.8
    assert rewritten == content
    assert chosen["num_links"] > 0
    assert isinstance(Bundle.load(copy, Runtime.start("cpu")).manifest.alignment, Alignment)


def test_what_the_command_refuses(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "few.tsv").write_text("cat\tkatu\n")
    for arguments, message in (
        (["--pairs", str(tmp_path / "few.tsv")], "1 pairs give fewer than 50 links"),
        (["--pairs", str(tmp_path / "none.tsv")], "none.tsv is missing"),
        (["--pairs", f"en-de:{tmp_path / 'few.tsv'}"], "does not translate en-de; it translates en → xx"),
    ):
        assert main(["alignment", str(models / "exact"), *arguments]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("alignment", "message"),
    [
        ({"layer": 2, "head": 0}, "alignment.layer 2 in the manifest, where the model has 2"),
        ({"layer": 1, "head": 4}, "alignment.head 4 in the manifest, where the model has 4"),
        ({"layer": None, "head": 1}, "a head needs its layer"),
        ({"layer": -1, "head": 1}, "malformed"),
        ({"layer": 1, "shift": 2}, "malformed"),
    ],
)
def test_an_attention_that_is_not_there_is_refused(
    models: Path, tmp_path: Path, alignment: dict[str, object], message: str
) -> None:
    copy = shutil.copytree(models / "exact", tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text()) | {"alignment": alignment}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=message):
        Bundle.load(copy, Runtime.start("cpu"))


def test_a_manifest_without_a_choice_says_nothing_of_it(models: Path, tmp_path: Path) -> None:
    manifest: Manifest = msgspec.structs.replace(load_manifest(models / "exact"), alignment=msgspec.UNSET)
    manifest.save(tmp_path)
    assert "alignment" not in json.loads((tmp_path / "manifest.json").read_text())
    assert load_manifest(tmp_path) == manifest
