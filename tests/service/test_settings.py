from __future__ import annotations

from pathlib import Path

import pytest

from service.errors import SettingsError
from service.settings import Settings, load_settings, split_address


def test_defaults() -> None:
    settings = load_settings([], {})
    assert settings == Settings()
    assert settings.grpc_address == "127.0.0.1:50051"
    assert settings.http_address == "127.0.0.1:8080"


def test_flags_come_before_the_environment() -> None:
    environment = {"SEQ2SERVE_MAX_ROWS": "8", "SEQ2SERVE_DEVICE": "cpu"}
    settings = load_settings(["--max-rows", "16", "--models", "somewhere"], environment)
    assert (settings.max_rows, settings.device, settings.models) == (16, "cpu", Path("somewhere"))


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--max-rows", "many", "max_rows 'many': expected int"),
        ("--max-rows", "0", "max_rows 0: must be at least 1"),
        ("--device", "tpu", "device 'tpu': expected one of auto, cpu, cuda"),
        ("--drain-seconds", "nan", "drain_seconds nan: must be at least 0"),
    ],
)
def test_wrong_values_name_the_setting(flag: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings([flag, value], {})


def test_addresses() -> None:
    assert split_address("x", "127.0.0.1:80") == ("127.0.0.1", 80)
    assert split_address("x", "[::1]:80") == ("::1", 80)
    for wrong in ("80", "host:", "host:port", "host:70000", ":80"):
        with pytest.raises(SettingsError, match="x .*: expected host:port"):
            split_address("x", wrong)


def test_help_shows_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load_settings(["--help"], {})
    output = capsys.readouterr().out
    assert "--max-encoder-tokens" in output
    assert "default: 127.0.0.1:50051" in output
