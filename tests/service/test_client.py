"""The command line client against a real server."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from service.client import Client, DecodingArguments
from service.client.__main__ import main
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from tests import synthetic
from tests.conftest import Serve


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(main, list(arguments))


async def test_texts_files_and_standard_input(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = synthetic.sentences(80, seed=3)
    lines = [*sources, "", "cat dog"]
    (tmp_path / "lines.txt").write_text("\n".join(lines))
    async with serve() as (server, _):
        flags = ("--address", server.grpc_address, "--model", "exact")
        assert await run("cat", "big dog", *flags) == 0
        assert capsys.readouterr().out == "katu\nhun mak\n"
        assert await run("big dog", "--stream", *flags) == 0
        assert capsys.readouterr().out == "hun mak\n"
        assert await run("--file", str(tmp_path / "lines.txt"), *flags) == 0
        from_file = capsys.readouterr().out
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
        assert await run(*flags) == 0
        assert capsys.readouterr().out == from_file
    translated = from_file.split("\n")[:-1]
    assert len(translated) == len(lines)
    assert translated[-2:] == ["", "hun katu"]
    right = sum(a == synthetic.translate(b) for a, b in zip(translated, sources, strict=False))
    assert right >= 75


async def test_exit_codes(serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serve() as (server, _):
        address = ("--address", server.grpc_address)
        assert await run("cat", "--temperature", "99", *address) == 2
        assert "INVALID_ARGUMENT: decoding.temperature" in capsys.readouterr().err
        assert await run("cat", "--target-language", "tlh", *address) == 3
        assert await run("\n".join(["cat dog"] * 2000), "--timeout", "0.05", *address) == 5
        assert await run("--file", str(tmp_path / "none"), *address) == 2
    assert await run("cat", *address) == 4
    assert "UNAVAILABLE" in capsys.readouterr().err


async def test_the_library(serve: Serve) -> None:
    def use(address: str) -> tuple[str, str, list[str]]:
        with Client(address, model="exact", decoding=DecodingArguments(max_target_tokens=4)) as client:
            streamed = "".join(client.stream("big dog"))
            return client.translate("big dog"), streamed, list(client.translate_all(["cat", "dog"]))

    async with serve() as (server, _):
        assert await asyncio.to_thread(use, server.grpc_address) == ("hun mak", "hun mak", ["katu", "hun"])


def test_decoding_arguments_become_a_message() -> None:
    message = DecodingArguments(beam_size=4, length_normalization="tokens", span_protection="require").message()
    assert message == pb.DecodingOptions(
        beam_size=4,
        length_normalization=pb.LENGTH_NORMALIZATION_TOKENS,
        span_protection=pb.SPAN_PROTECTION_REQUIRE,
    )
    assert DecodingArguments().message() == pb.DecodingOptions()
