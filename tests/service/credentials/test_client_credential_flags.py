"""The commands' flags for TLS and tokens, end to end."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from service.client.__main__ import main
from tests.service.catalogs.fake import HEADER
from tests.service.credentials.echo import Files, Serve


@pytest.fixture
def commands(tmp_path: Path) -> list[list[str]]:
    """One of each."""
    (tmp_path / "in.txt").write_text("a\n")
    (tmp_path / "ko.po").write_text(f'{HEADER}msgid "a"\nmsgstr ""\n')
    bulk = ["bulk", str(tmp_path / "in.txt"), "--output", str(tmp_path / "out.tsv")]
    return [["a"], ["a", "--stream"], bulk, ["po", str(tmp_path / "ko.po"), "--no-msgfmt"]]


def test_flags_of_every_command(serve: Serve, issued: Files, commands: list[list[str]], tmp_path: Path) -> None:
    echo, address = serve(issued.credentials(True))
    (tmp_path / "token").write_text("secret\n")
    for command in commands:
        assert main([*command, "--address", address, *issued.flags, "--token-file", str(tmp_path / "token")]) == 0
    assert len(echo.tokens) >= len(commands)
    assert set(echo.tokens) == {"Bearer secret"}
    assert all(peer == [b"reader.example"] for peer in echo.peers)


def test_the_token_of_the_environment(
    serve: Serve, commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQ2SERVE_TOKEN", "from-environment")
    echo, address = serve()
    for command in commands:
        assert main([*command, "--address", address]) == 0
    assert set(echo.tokens) == {"Bearer from-environment"}
    (tmp_path / "token").write_text("from-file")
    assert main(["a", "--address", address, "--token-file", str(tmp_path / "token")]) == 0
    assert echo.tokens[-1] == "Bearer from-file"
    monkeypatch.setenv("SEQ2SERVE_TOKEN", "")
    assert main(["a", "--address", address]) == 0
    assert echo.tokens[-1] is None


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED])
def test_not_let_in(
    serve: Serve, commands: list[list[str]], status: grpc.StatusCode, capsys: pytest.CaptureFixture[str]
) -> None:
    echo, address = serve()
    for command in commands:
        echo.failures = [status]
        assert main([*command, "--address", address]) == 6
        assert f"error: {status.name}: not now" in capsys.readouterr().err
    assert len(echo.tokens) == len(commands)


def test_wrong_flags(commands: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token, empty = tmp_path / "token", tmp_path / "empty"
    token.write_text("secret")
    empty.write_text("\n")
    (tmp_path / "korean").write_text("비밀", encoding="utf-8")
    wrong = {
        ("--tls-ca", "ca.pem"): "without tls: give --tls",
        ("--tls", "--tls-ca", "none.pem"): "--tls-ca) none.pem: No such file",
        ("--tls", "--tls-key", "key.pem"): "--tls-certificate",
        ("--token-file", "none"): "--token-file none: No such file",
        ("--token-file", str(empty)): f"--token-file {empty}: is empty",
        ("--token-file", str(tmp_path / "korean")): "korean: not ASCII",
        ("--token-file", str(token), "--address", "service.example:50051"): "over TLS only: give --tls",
    }
    for flags, message in wrong.items():
        for command in commands:
            assert main([*command, *flags]) == 2
            assert message in capsys.readouterr().err
