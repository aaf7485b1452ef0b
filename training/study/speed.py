"""How fast each system of a study is served: exported, started and asked by the commands that a user has."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from training.errors import TrainingError
from training.vocabulary import Vocabulary

START_SECONDS = 60
NUM_ROUNDS = 3


def export(checkpoint: Path, bundle: Path, name: str) -> None:
    """Write a float32 bundle in place of the one that is there.

    Raises:
        TrainingError: `python -m export` refuses.
    """
    shutil.rmtree(bundle, ignore_errors=True)
    _run("export", str(checkpoint), str(bundle), "--name", name)


def served_tokens_per_second(models: Path, names: Sequence[str], sentences: Path, work: Path) -> dict[str, float]:
    """Target tokens a second of each model, a file of sentences at a time, all models in turn.

    Args:
        models: directory of bundles.
        names: of the models.
        sentences: one a line.
        work: gets the translations.

    Returns:
        The median of the rounds, client and gRPC included.
    """
    rates: dict[str, list[float]] = {name: [] for name in names}
    with _serving(models, work / "service.log") as address:
        for _ in range(NUM_ROUNDS):
            for name in names:
                rates[name].append(_rate(models, name, sentences, work, address))
    return {name: statistics.median(found) for name, found in rates.items()}


def _rate(models: Path, name: str, sentences: Path, work: Path, address: str) -> float:
    started = time.perf_counter()
    translated = _run("service.client", "--address", address, "--model", name, "--file", str(sentences))
    seconds = time.perf_counter() - started
    (work / f"{name}.served").write_text(translated, encoding="utf-8")
    vocabulary = Vocabulary((models / name / "target.model").read_bytes())
    return sum(len(ids) + 1 for ids in vocabulary.encode(translated.splitlines())) / seconds


@contextmanager
def _serving(models: Path, log: Path) -> Iterator[str]:
    """A service on a free port; gives its address."""
    ports = ("--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0")
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "service", "--models", str(models), *ports], stdout=output, stderr=output
        )
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        found = re.search(r"gRPC on (\S+?),", log.read_text(encoding="utf-8"))
        if found:
            return found[1]
        time.sleep(0.1)
    raise TrainingError(f"the service did not start: {log.read_text(encoding='utf-8')[-2000:]}")


def _run(module: str, *arguments: str) -> str:
    found = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False)
    if found.returncode:
        raise TrainingError(f"python -m {module} failed: {found.stderr[-2000:]}")
    return found.stdout


def write_sentences(test: Path, path: Path, number: int) -> None:
    """The first sources of a prepared text, one a line."""
    with test.open(encoding="utf-8") as pairs, path.open("w", encoding="utf-8") as file:
        for _, line in zip(range(number), pairs, strict=False):
            file.write(line.split("\t")[0] + "\n")
