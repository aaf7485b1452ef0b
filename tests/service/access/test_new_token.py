from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from service.api.access.clients_file import read_clients
from service.api.access.permissions import Permission
from service.new_token import main


def test_the_printed_token_is_the_one_that_the_lines_let_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["website"]) == 0
    output, told = capsys.readouterr()
    token = told.split()[-1]
    assert len(token) == 43
    assert token not in output
    path = tmp_path / "clients.toml"
    path.write_text(output)
    (client,) = read_clients(path)
    assert client.name == "website"
    assert client.token_hashes == (sha256(token.encode()).digest(),)
    assert client.permissions == {Permission.TRANSLATE, Permission.READ_MODELS}


def test_lines_can_be_added_to_a_file_that_does_not_end_in_a_newline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "clients.toml"
    path.write_text("# ours")
    for name in ("website", "web.site", "web-site_2"):
        main([name, "--permission", "translate", "--permission", "administer_models", "--permission", "translate"])
        with path.open("a") as file:
            file.write(capsys.readouterr().out)
    clients = read_clients(path)
    assert [client.name for client in clients] == ["website", "web.site", "web-site_2"]
    assert all(client.permissions == {Permission.TRANSLATE, Permission.ADMINISTER_MODELS} for client in clients)
    assert len({client.token_hashes for client in clients}) == 3


@pytest.mark.parametrize(
    "arguments",
    [[], ["a b"], [".hidden"], ["a" * 65], ["a\n"], ['a"]'], ["website", "--permission", "fly"]],
)
def test_wrong_arguments_make_no_token(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().out == ""


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service.new_token", "website"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("\n[clients.website]\ntoken_sha256 = [")
    assert done.stderr.count("\n") == 1
