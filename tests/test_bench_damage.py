"""Damaged bundles and their trials in bench.reliability: what is bad has to be seen."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest

from bench.reliability import trials
from bench.reliability.answers import Answers
from bench.reliability.damage import MANIFEST, Damage, accidents, forgeries, places
from bench.reliability.questions import Kind, Question
from bench.reliability.scenarios.corrupted_bundle import refusal_faults
from bench.reliability.trials import CRASHED, HANGS, Trial, TrialProcess, judge
from service.bundle.manifest import load_manifest, read_file
from service.errors import BundleError


@pytest.mark.parametrize("size", [64, 65, 1000, 6_011_907])
def test_damage_comes_to_every_region(size: int) -> None:
    found = places(size, 64)
    assert found[0] == 0
    assert found[-1] == size - 1
    assert max(after - before for before, after in itertools.pairwise(found)) <= math.ceil(size / 63)


def test_every_accident_is_one_and_can_be_undone(tmp_path: Path) -> None:
    pristine, copy = _bundle(tmp_path / "pristine"), _bundle(tmp_path / "copy")
    damages = accidents(pristine, 8, 4)
    assert {damage.file for damage in damages} == {path.name for path in pristine.iterdir()}
    for damage in damages:
        damage.apply(pristine, copy)
        assert _contents(copy) != _contents(pristine), damage
        damage.undo(pristine, copy)
        assert _contents(copy) == _contents(pristine), damage


def test_the_manifest_of_a_forgery_describes_what_is_there(tmp_path: Path) -> None:
    bundle = Path("models/en-ko-software")
    [damage] = [found for found in forgeries(bundle, 2) if found.file == "source.model" and found.length == 1]
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in bundle.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    damage.apply(bundle, copy)
    described = load_manifest(copy).files.source_tokenizer
    assert described.num_bytes == 1
    assert len(read_file(copy, described)) == 1
    Damage("source.model", length=1).apply(bundle, copy)
    damage.undo(bundle, copy)
    Damage("source.model", offset=0).apply(bundle, copy)
    with pytest.raises(BundleError):
        read_file(copy, load_manifest(copy).files.source_tokenizer)


def _bundle(directory: Path) -> Path:
    directory.mkdir()
    manifest = json.loads(Path("models/en-ko-software", MANIFEST).read_text())
    (directory / MANIFEST).write_text(json.dumps(manifest))
    for index, file in enumerate(manifest["files"].values()):
        (directory / file["name"]).write_bytes(bytes(range(100 + index)))
    return directory


def _contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_verdicts_that_are_not_allowed_are_faults() -> None:
    found = [Trial(Damage("x", length=0), verdict, "") for verdict in ("refused", "refused", "wrong", CRASHED)]
    figures, faults = judge(found, {"refused"})
    assert figures == "4 damages: 2 refused, 1 wrong, 1 crashed"
    assert [fault.split(":")[0] for fault in faults] == ["wrong", "crashed"]


@pytest.mark.parametrize(
    ("script", "verdict"), [("read line; kill -SEGV $$", CRASHED), ("read line; exec sleep 60", HANGS)]
)
async def test_a_process_that_dies_or_hangs_is_a_verdict_and_the_next_goes_on(
    script: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "TRIAL_SECONDS", 0.5)
    process = TrialProcess(
        _bundle(tmp_path / "pristine"), tmp_path, Answers({Question(Kind.GREEDY, "a"): "A"}), ("sh", "-c", script)
    )
    damage = Damage(MANIFEST, length=0)
    assert [trial.verdict for trial in await process.try_all([damage, damage])] == [verdict, verdict]


def test_a_refusal_is_one_sentence_and_exit_code_2() -> None:
    assert refusal_faults("x", 2, "INFO something\nerror: no such file\n") == []
    for code, output in ((1, "error: x"), (-11, ""), (2, "Traceback (most recent call last)\nerror: x"), (0, "")):
        assert refusal_faults("x", code, output)
