"""What bulk writes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from service.api.server import Server
from service.client import Client, DecodingArguments
from service.client.client import Hypothesis
from service.settings import Settings
from tests.service.bulk.fake import FakeService, bulk, expected_row, sources

ROOT = Path(__file__).parents[3]


def test_rows_come_in_the_order_of_the_lines(
    service: tuple[FakeService, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake, address = service
    texts = sources(500)
    (tmp_path / "in").write_text("\n".join(texts))
    flags = ("--batch-size", 7, "--requests", 3, "--beam-size", 4, "--model", "m")
    assert bulk(address, tmp_path / "in", "--output", tmp_path / "out.tsv", *flags) == 0
    assert (tmp_path / "out.tsv").read_text() == "".join(map(expected_row, texts))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.tsv", "out.tsv.json"]
    assert max(len(sent) for _, sent in fake.requests) == 7
    config = fake.requests[0][0]
    assert (config.decoding.beam_size, config.model_selection.model) == (4, "m")
    assert (
        "500 texts (END 500), 500 rows, 0 left out, 0 refused; 1,500 source and 500 target" in capsys.readouterr().out
    )
    num_requests = len(fake.requests)
    assert bulk(address, tmp_path / "in", "--output", tmp_path / "out.tsv", *flags) == 0
    assert len(fake.requests) == num_requests


def test_filters_refusals_and_several_hypotheses(
    service: tuple[FakeService, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, address = service
    (tmp_path / "in").write_text("one\ttab\nbad\n\nlong\nthree words here\n")
    filters = ("--min-score", -0.01, "--drop-cut-off", "--beam-size", 2, "--num-hypotheses", 2)
    assert bulk(address, tmp_path / "in", "--output", tmp_path / "out", *filters) == 0
    assert (tmp_path / "out").read_text().split("\n") == [
        "one tab\tbat eno\t-0.0070\tEND",
        "one tab\tbat eno!\t-0.0070\tEND",
        "bad\t\t\tINVALID_FIELD",
        "\t\t\tEMPTY",
        "",
    ]
    told = capsys.readouterr().out
    assert "5 texts (EMPTY 1, END 2, INVALID_FIELD 1, LENGTH 1), 4 rows, 4 left out, 2 refused" in told


def test_every_request_samples_with_a_seed_of_its_own(service: tuple[FakeService, str], tmp_path: Path) -> None:
    fake, address = service
    (tmp_path / "in").write_text("a\nb\nc\n")
    for seed in ((), ("--seed", 40)):
        output = tmp_path / f"out{len(seed)}"
        arguments = ("--output", output, "--temperature", 1, "--batch-size", 1, *seed)
        assert bulk(address, tmp_path / "in", *arguments) == 0
        seeds = {config.decoding.seed for config, _ in fake.requests[-3:]}
        first = json.loads(output.with_name(f"{output.name}.json").read_text())["settings"]["seed"]
        assert seeds == {first, first + 1, first + 2}
        assert not seed or first == 40


async def test_with_the_model_that_ships(tmp_path: Path) -> None:
    texts = ["The file could not be opened.", "Open the file. Save it.", "x" * 30_000, "I am a student."]
    (tmp_path / "in").write_text("\n".join(texts))
    output = tmp_path / "out.tsv"

    def use(address: str) -> tuple[int, list[Hypothesis]]:
        with Client(address, decoding=DecodingArguments(beam_size=2)) as client:
            expected = [client.hypotheses(texts[index])[0] for index in (0, 3)]
        return bulk(address, tmp_path / "in", "--output", output, "--beam-size", 2), expected

    free = {"grpc_address": "127.0.0.1:0", "http_address": "127.0.0.1:0"}
    server = Server(Settings(models=ROOT / "models", device="cpu", **free), "test")
    await server.start()
    try:
        code, expected = await asyncio.to_thread(use, server.grpc_address)
    finally:
        await server.stop()
    assert code == 0
    rows = [line.split("\t") for line in output.read_text().splitlines()]
    assert [row[0] for row in rows] == texts
    assert [row[3] for row in rows] == ["END", "END", "INVALID_FIELD", "END"]
    for row, hypothesis in zip((rows[0], rows[3]), expected, strict=True):
        assert row[1] == hypothesis.text
        num_tokens = round(hypothesis.log_prob / float(row[2]))
        assert num_tokens > 1
        assert float(row[2]) == pytest.approx(hypothesis.log_prob / num_tokens, abs=2e-4)
