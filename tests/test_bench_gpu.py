"""The suite for a machine with a GPU, on a CPU at tiny sizes: its formulas, its judges, and that every part runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bench.gpu import __main__ as suite
from bench.gpu import steps, throughput, training
from bench.gpu.costs import StepCost, step_cost, training_flops
from bench.gpu.engines import Job, PlacedEngine, open_bundle
from bench.gpu.exactness import check, exactness, make_jobs
from bench.gpu.judgement import BOUNDS, compare_beams, compare_greedy
from bench.gpu.launches import covered
from bench.gpu.machine import Ceilings, Machine
from bench.gpu.models import TINY, Models
from bench.gpu.reference import Reference, first_difference
from bench.gpu.report import CheckFailedError, judge
from bench.gpu.steps import fill
from bench.gpu.training import lengths, shares, synthetic_pairs
from bench.subjects import FIXED_TOKENS
from service.engine.state_store import HostStore
from service.request import DecodingOptions
from tests.export.checkpoints import WORDS, make_checkpoint
from training.model_settings import TransformerSettings
from training.recipe import load_recipe
from training.transformer import Transformer

CPU = Machine("cpu", is_tiny=True)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(CPU, tmp_path_factory.mktemp("models"))


SHAPES = [
    TransformerSettings(
        num_encoder_layers=2, num_decoder_layers=3, model_size=32, feed_forward_size=48, num_heads=4, **further
    )
    for further in ({"norm": "post"}, {"num_key_value_heads": 2, "activation": "swiglu", "tie_embeddings": False})
]


@pytest.fixture(params=SHAPES, ids=["paper", "grouped and gated"])
def shape(request: pytest.FixtureRequest) -> TransformerSettings:
    return request.param


@pytest.fixture
def counter() -> Iterator[FlopCounterMode]:
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:
        yield counted


def test_training_flops_are_those_that_pytorch_counts(shape: TransformerSettings, counter: FlopCounterMode) -> None:
    num_sentences, source_length, target_length, vocabulary_size = 3, 7, 5, 90
    model = Transformer(shape, vocabulary_size, vocabulary_size, 32, is_vocabulary_shared=True)
    source, target = (torch.full((num_sentences, length), 4) for length in (source_length, target_length))
    states = model(source, torch.full((num_sentences,), source_length), target)
    F.cross_entropy(model.logits(states).flatten(0, 1), target.flatten()).backward()
    expected = training_flops(shape, vocabulary_size, [source_length] * num_sentences, [target_length] * num_sentences)
    assert counter.get_total_flops() == expected


def test_a_steps_flops_and_bytes_are_those_of_the_model(shape: TransformerSettings, counter: FlopCounterMode) -> None:
    rows, source_length, position = 3, 7, 4
    model = Transformer(shape, 90, 90, 32, is_vocabulary_shared=True).eval()
    with torch.inference_mode():
        state = model.start(torch.full((rows, source_length), 4), torch.full((rows,), source_length))
        before = 0
        for _ in range(position + 1):
            before = counter.get_total_flops()
            model.logits(model.step(torch.full((rows,), 4), state))
        counted = counter.get_total_flops() - before
    cost = step_cost(shape, 90, [source_length] * rows, [position + 1] * rows, bytes_per_number=2)
    assert cost.flops == counted
    used = [
        weight.numel()
        for name, weight in model.named_parameters()
        if weight.dim() == 2 and name.startswith("decoder.layers") and "cross_attention.key_value" not in name
    ]
    assert cost.weight_bytes == 2 * (sum(used) + model.output.weight.numel())
    held = [
        tensor.numel()
        for cache in state.caches
        for tensor in (cache.self_key, cache.self_value, cache.cross_key, cache.cross_value)
    ]
    assert cost.cache_bytes == 2 * sum(held)


def test_the_floor_is_the_slower_of_bytes_and_flops() -> None:
    cost = StepCost(weight_bytes=600, cache_bytes=400, flops=5000)
    few_bytes, few_flops = Ceilings(100.0, 1e6), Ceilings(1e6, 100.0)
    assert (cost.floor_seconds(few_bytes), cost.bound(few_bytes)) == (10.0, "bytes")
    assert (cost.floor_seconds(few_flops), cost.bound(few_flops)) == (50.0, "FLOPs")


def test_a_goal_is_met_or_missed(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"floor_seconds": 0.0006, "execution": "graph"}
    assert steps.goals(
        [
            row | {"rows": 1, "graphs_seconds": 0.0009},
            row | {"rows": 2, "graphs_seconds": 9.0},
            row | {"rows": 256, "graphs_seconds": 0.0011},
        ]
    ) == {"base, 1 row below 1 ms (graph)": True, "base, 256 rows at 60% of the floor (graph)": False}
    assert throughput.reaches_goal([10.0, 50.0, 60.0], [10.0, 10.0, 10.0])
    assert not throughput.reaches_goal([10.0, 49.0, 60.0], [10.0, 10.0, 10.0])
    assert judge({"fast": True, "small": False}) == {"fast": "met", "small": "missed"}
    assert "goal missed: small" in capsys.readouterr().out


def test_training_is_judged_by_the_data_sheet_where_it_is_known() -> None:
    ceilings = Ceilings(1.0, flops_per_second=800.0)
    update = {"batch_tokens": 500, "is_packed": True}
    known, unknown = (update | shares(390.0, ceilings, data_sheet) for data_sheet in (1000.0, None))
    assert (known["share_of_measured"], known["share_of_data_sheet"]) == (0.4875, 0.39)
    assert list(training.goals([known]).values()) == [False]
    assert training.goals([unknown]) == {}


def test_an_engine_is_filled_again_with_other_rows(models: Models) -> None:
    subject = models.random("base")
    bundle = open_bundle(models.bundle(subject), CPU)
    engine = PlacedEngine(bundle, 4)
    costs = [fill(engine, CPU, subject, rows) for rows in (4, 1, 3)]
    engine.engine.check_integrity()
    assert (engine.cache.num_rows, engine.engine.num_running) == (3, 3)
    assert min(engine.cache.positions[:3]) >= FIXED_TOKENS // 2
    assert costs[2] == fill(PlacedEngine(bundle, 4), CPU, subject, 3)
    assert costs[1].flops < costs[2].flops < costs[0].flops


def test_time_that_kernels_share_counts_once() -> None:
    assert covered([(5.0, 6.0), (0.0, 2.0), (1.0, 3.0), (1.5, 1.6)]) == 4.0
    assert covered([]) == 0.0


def test_the_engine_is_exact(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    figures = exactness(CPU, models, num_sentences=6)["base"]
    assert not figures["failures"]
    verdicts = {verdict["name"]: verdict for verdict in figures["verdicts"]}
    assert len(verdicts) == 8
    assert all(verdict["num_identical"] == 6 for verdict in verdicts.values())
    assert "beam 4 arriving and leaving at random, alone" in capsys.readouterr().out


def test_a_cache_that_forgets_to_reorder_is_found(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HostStore, "copy", lambda *_: None)
    with pytest.raises(CheckFailedError, match="log-probabilities of beams differ"):
        exactness(CPU, models, num_sentences=4)


def test_a_model_with_other_weights_is_found(models: Models, tmp_path: Path) -> None:
    subject = models.random("base")
    jobs = make_jobs(subject, 3)
    other = Models(CPU, tmp_path).random("base")
    other.checkpoint.weights["output.weight"] = -other.checkpoint.weights["output.weight"]
    found = check(CPU, other, models.bundle(subject), jobs, BOUNDS["float32"])
    assert any("greedy alone" in failure for failure in found["failures"])
    assert any("log-probabilities of greedy differ" in failure for failure in found["failures"])


def test_a_tie_is_no_error_and_more_than_a_tie_is_one(models: Models) -> None:
    subject = models.random("base")
    jobs = make_jobs(subject, 4)
    reference = Reference(subject.checkpoint, "cpu", torch.float32)
    expected = reference.greedy(jobs)
    changed = [(*expected[0][:-1], (expected[0][-1] + 1) % 500 + 4), *expected[1:]]
    [gap] = reference.gaps(jobs[:1], [(expected[0], changed[0])])
    assert gap > 0
    loose = compare_greedy("x", reference, jobs, expected, changed, bound=gap)
    strict = compare_greedy("x", reference, jobs, expected, changed, bound=gap / 2.1)
    assert (loose.num_identical, loose.ties, loose.num_wrong) == (3, [gap], 0)
    assert (strict.num_identical, strict.ties, strict.num_wrong) == (3, [], 1)
    assert "WRONG 1" in str(strict)
    assert "75.0%" in str(loose)


def test_a_beam_with_another_score_is_an_error() -> None:
    assert compare_beams("x", [((5, 6), -1.0)], [((5, 7), -1.01)], bound=0.03).ties == [pytest.approx(0.01)]
    assert compare_beams("x", [((5, 6), -1.0)], [((5, 7), -2.0)], bound=0.03).num_wrong == 1


def test_forced_log_probabilities_and_first_differences(models: Models) -> None:
    subject = models.random("base")
    reference = Reference(subject.checkpoint, "cpu", torch.float32)
    jobs = [Job(tuple(source), DecodingOptions(5)) for source in subject.sources(3)]
    together = reference.forced([job.source for job in jobs], [(5, 6, 7), (8,), ()])
    assert [len(values) for values in together] == [4, 2, 1]
    [alone] = reference.forced([jobs[1].source], [(8,)])
    assert together[1] == pytest.approx(alone, abs=1e-5)
    assert first_difference((5, 6), (5, 7)) == 1
    assert first_difference((5, 6), (5,)) == 1  # one goes on where the other ends


def test_lengths_are_the_same_packed_and_padded() -> None:
    recipe = load_recipe("transformer-big-wmt14-en-de", ("vocabulary.size=300",))
    data = synthetic_pairs(recipe, 200)
    indices = data.batches(recipe.data)[0]
    assert lengths(data.batch(indices)) == lengths(data.packed_batch(indices))
    assert 20 < data.sources.lengths.mean() < 36


def test_every_part_runs_and_is_written_down(
    models: Models, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--device", "cpu", "--tiny", "--work", str(models.directory)]
    parts = ["quality", "steps", "launches", "throughput", "memory"]
    assert suite.main([*arguments, "--json", str(tmp_path / "figures.json"), "--parts", *parts]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures) == {"machine", *parts}
    assert figures["launches"]["skipped"]
    assert figures["quality"]["skipped"]
    for row in figures["steps"]["base"]:
        assert row["floor_seconds"] > 0
        assert min(row["graphs_seconds"], row["kernels_seconds"]) > 0
        assert row["execution"] == "kernels"
    assert list(figures["steps"]["goals"]) == ["base, 1 row below 1 ms (kernels)"]
    assert {"seq2serve", "PyTorch float32"} <= set(figures["throughput"]["base"]["4"])
    assert len(figures["throughput"]["goals"]) == 2
    assert "no part failed" in capsys.readouterr().out


def test_training_runs_padded_and_packed(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    assert suite.main(["--training", "--device", "cpu", "--tiny", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())["training"]
    padded, packed = figures["updates"]
    assert figures["goals"] == {}
    assert (padded["is_packed"], packed["is_packed"]) == (False, True)
    assert padded["flops_per_second"] > 0
    assert any("scaled_dot_product_attention" in name for name in packed["attention"])


def test_a_checkpoint_is_compared_and_its_translations_scored(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(8, num_encoder_layers=1, num_decoder_layers=1, model_size=32, num_heads=4)
    checkpoint.save(tmp_path / "best.pt")
    texts = [f"{' '.join(WORDS[start : start + 3])}\n" for start in range(0, 12, 3)]
    for name in ("source", "reference"):
        (tmp_path / name).write_text("".join(texts))
    arguments = ["--device", "cpu", "--tiny", "--work", str(tmp_path), "--checkpoint", str(tmp_path / "best.pt")]
    arguments += ["--parts", "quality", "--test", str(tmp_path / "source"), str(tmp_path / "reference")]
    assert suite.main([*arguments, "--json", str(tmp_path / "figures.json")]) == 0
    scores = json.loads((tmp_path / "figures.json").read_text())["quality"]["cpu float32"]
    assert set(scores) == {"bleu", "chrf"}


def test_a_part_that_fails_is_told_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(TINY, "base", None)
    arguments = ["--device", "cpu", "--tiny", "--work", str(tmp_path), "--parts", "memory", "launches"]
    assert suite.main([*arguments, "--json", str(tmp_path / "figures.json")]) == 1
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["memory"]["failed"]
    assert figures["launches"]["skipped"]
    assert "failed: memory" in capsys.readouterr().out


def test_memory_that_grows_fails(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.gpu.memory import memory

    readings = iter(range(0, 10**12, 2**20))
    monkeypatch.setattr(Machine, "used_bytes", lambda _: next(readings))
    with pytest.raises(CheckFailedError, match="memory grew") as failure:
        memory(CPU, models)
    assert failure.value.figures["growth_of_second_half"] > 16 * 2**20
