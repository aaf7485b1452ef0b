"""The client's --image, and Client.caption, against a real server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from service.client import Caption, Client, DecodingArguments
from service.client.__main__ import main
from tests.conftest import Captioner, Serve
from tests.pictures import COLUMNS, NAME, ROWS, png, random_pixels

PICTURES = random_pixels(3, seed=1)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{index}.png" for index in range(len(PICTURES))]
    for path, pixels in zip(paths, PICTURES, strict=True):
        path.write_bytes(png(pixels))
    return [str(path) for path in paths]


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(main, list(arguments))


async def test_pictures_are_described_line_by_line(
    serve: Serve, captioner: Captioner, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    async with serve(models=captioner.models) as (server, _):
        address = ("--address", server.grpc_address)
        decode = server.models.get(NAME, "").bundle.target_tokenizer.decode
        expected = {
            language: [decode(captioner.model.describe(pixels, language)[0]) for pixels in PICTURES]
            for language in ("en", "ko")
        }
        assert await run("--image", *files, *address) == 0
        assert capsys.readouterr().out.splitlines() == expected["en"]
        assert await run("--image", *files, *address, "--target-language", "ko", "--json") == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(one["file"], one["text"]) for one in told] == list(zip(files, expected["ko"], strict=True))
        assert {one["language"] for one in told} == {"ko"}
        words = [(one["text"], word) for one in told for word in one["words"]]
        assert words
        for text, word in words:
            assert text[word["begin"] : word["end"]] == word["word"]
            assert [len(row) for row in word["attention"]] == [COLUMNS] * ROWS
        assert await run("--image", files[0], "--beam-size", "3", "--num-hypotheses", "2", *address) == 0
        scores = [float(line.split("\t")[0]) for line in capsys.readouterr().out.splitlines()]
        assert len(scores) == 2
        assert scores == sorted(scores, reverse=True)


async def test_exit_codes(
    serve: Serve, captioner: Captioner, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    async with serve(models=captioner.models) as (server, _):
        address = ("--address", server.grpc_address)
        assert await run("--image", str(tmp_path / "text.png"), *address) == 2
        assert "INVALID_ARGUMENT: image: is neither PNG nor JPEG" in capsys.readouterr().err
        assert await run("--image", str(tmp_path / "none.png"), *address) == 2
        assert await run("--image", files[0], "--target-language", "fr", *address) == 3
        assert await run("--image", files[0], "--model", "exact", *address) == 2
    for wrong in (["--json", "cat"], ["--image", files[0], "--stream"], ["--image", files[0], "--file", files[0]]):
        with pytest.raises(SystemExit) as ended:
            main(wrong)
        assert ended.value.code == 2


async def test_the_library(serve: Serve, captioner: Captioner) -> None:
    def use(address: str) -> tuple[Caption, Caption]:
        with Client(address, decoding=DecodingArguments(beam_size=2, num_hypotheses=2)) as client:
            return client.caption(png(PICTURES[0])), client.caption(png(PICTURES[0]), with_words=False)

    async with serve(models=captioner.models) as (server, _):
        full, bare = await asyncio.to_thread(use, server.grpc_address)
    assert (full.model, full.model_version, full.language) == (NAME, "1", "en")
    assert full.text == full.hypotheses[0].text
    assert len(full.hypotheses) == 2
    assert [sum(map(sum, word.attention)) for word in full.words] == pytest.approx([1.0] * len(full.words), abs=1e-5)
    assert bare.words == ()
    assert bare.hypotheses == full.hypotheses
