"""What the service can be told at start: flags, or SEQ2SERVE_* environment variables, or the defaults here."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from service.errors import SettingsError

ENVIRONMENT_PREFIX = "SEQ2SERVE_"


def _setting(default: Any, description: str, choices: Sequence[str] = (), minimum: float = 0) -> Any:
    return field(default=default, metadata={"help": description, "choices": choices, "minimum": minimum})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting with its default; the description is what --help prints."""

    models: Path = _setting(Path("models"), "a bundle, or a directory of bundles")
    watch_seconds: float = _setting(5.0, "how often to look for new, changed and removed bundles; 0: never")
    grpc_address: str = _setting("127.0.0.1:50051", "host:port of the gRPC service; port 0 takes a free one")
    http_address: str = _setting(
        "127.0.0.1:8080", "host:port of the page, the JSON API, /metrics, /livez, /readyz; port 0 takes a free one"
    )
    http_api: str = _setting("on", "whether the page and the APIs are there, too, or probes alone", ("on", "off"))
    http_allowed_origins: str = _setting(
        "", "origins whose pages may call the JSON API, such as https://example.com, separated by commas; *: all"
    )

    tls_certificate: str = _setting("", "PEM file of the gRPC port's certificate chain; read again when it changes")
    tls_key: str = _setting("", "PEM file of its private key")
    tls_client_ca: str = _setting("", "PEM file of the authorities whose client certificates are required")
    clients: str = _setting("", "TOML file of the clients that are let in, their permissions and quotas")
    anonymous_permissions: str = _setting(
        "translate,read_models", "what whoever reaches the port may do where there is no clients file"
    )
    plaintext: str = _setting(
        "loopback-only", "where ports may listen without TLS", ("loopback-only", "on-trusted-network")
    )

    device: str = _setting(
        "auto", "where models run; auto: cuda where nothing is missing for it, else cpu", ("auto", "cpu", "cuda")
    )
    cuda_graphs: str = _setting("on", "whether steps on cuda are captured and replayed whole", ("on", "off"))
    num_threads: int = _setting(0, "threads of the model; 0: one for each core this process may use")
    max_rows: int = _setting(64, "hypotheses decoded together, for each model", minimum=1)
    max_cache_mebibytes: int = _setting(0, "memory of each model's KV cache, by fewer rows; 0: what max_rows needs")
    max_memory_mebibytes: int = _setting(0, "weights and KV caches of all models together, by fewer rows; 0: no limit")
    max_workspace_mebibytes: int = _setting(
        2048, "memory for intermediate results on cuda, for each of a model's five sessions", minimum=1
    )
    max_beam_size: int = _setting(8, "hypotheses of one sentence, at most max_rows", minimum=1)
    max_waiting: int = _setting(1024, "sentences that may wait, for each model; more are refused", minimum=1)
    max_explain_runs: int = _setting(
        1, "scores, attention and alignments computed at a time, for each model", minimum=1
    )
    max_explain_requests: int = _setting(
        256, "requests for scores, attention or alignments under way, for each model; more are refused", minimum=1
    )
    max_encoder_tokens: int = _setting(2048, "source tokens, padding included, encoded between two steps", minimum=1)
    max_texts: int = _setting(128, "texts in one request", minimum=1)
    max_text_characters: int = _setting(20_000, "characters in one text", minimum=1)
    max_message_bytes: int = _setting(4 * 2**20, "size of one gRPC message, or body of an HTTP request", minimum=1024)
    max_image_bytes: int = _setting(
        3_000_000, "size of a picture's file; as base64 in JSON it still fits into max_message_bytes", minimum=1
    )
    max_image_pixels: int = _setting(25_000_000, "width times height of a picture, told by its header", minimum=1)
    max_metadata_bytes: int = _setting(8192, "size of the metadata of one RPC", minimum=1024)
    max_rpcs: int = _setting(4096, "RPCs answered at a time; more are refused", minimum=1)
    max_streams_per_connection: int = _setting(1024, "RPCs of one connection at a time; more wait there", minimum=1)
    max_http_connections: int = _setting(64, "connections of the HTTP port; more are refused", minimum=1)

    keepalive_seconds: float = _setting(60.0, "silence after which a connection is asked whether it lives", minimum=1)
    keepalive_timeout_seconds: float = _setting(20.0, "time to answer that before it is closed", minimum=1)
    max_connection_age_seconds: float = _setting(
        1800.0, "age at which clients are told to connect again, so that load spreads; RPCs finish; 0: never"
    )
    stall_seconds: float = _setting(30.0, "time without progress after which a model is not ready", minimum=1)
    drain_delay_seconds: float = _setting(0.0, "time between not ready and refusing work, for load balancers to see it")
    drain_seconds: float = _setting(10.0, "time to finish accepted work after SIGTERM or SIGINT")

    otlp_endpoint: str = _setting("", "where traces go by OTLP, such as http://127.0.0.1:4317; empty: nowhere")
    log_format: str = _setting("text", "how log lines are written", ("text", "json"))
    log_request_text: str = _setting("no", "whether log lines may hold the text of requests", ("no", "yes"))
    log_level: str = _setting(
        "info", "least level of log lines on standard error", ("debug", "info", "warning", "error")
    )


def load_settings(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the command line, then the environment, then the defaults.

    Raises:
        SettingsError: a value is not of its type or out of range; the message names the setting.
        SystemExit: --help, or an unknown flag.
    """
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description="Serve exported bundles over gRPC.",
        epilog=f"Every flag can be set as an environment variable: --max-rows as {ENVIRONMENT_PREFIX}MAX_ROWS.",
    )
    for setting in fields(Settings):
        parser.add_argument(
            f"--{setting.name.replace('_', '-')}", help=f"{setting.metadata['help']} (default: {setting.default})"
        )
    given = vars(parser.parse_args(arguments))
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        text = given[setting.name]
        if text is None:
            text = environment.get(ENVIRONMENT_PREFIX + setting.name.upper())
        if text is not None:
            values[setting.name] = _parse(setting.name, text, type(setting.default), setting.metadata)
    return Settings(**values)


def split_address(name: str, address: str) -> tuple[str, int]:
    """Host and port of a host:port setting.

    Raises:
        SettingsError: it is something else.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{name} {address!r}: expected host:port with a port up to 65535")
    return host.strip("[]"), int(port)


def _parse(name: str, text: str, kind: type, metadata: Mapping[str, Any]) -> Any:
    try:
        value = kind(text)
    except ValueError:
        raise SettingsError(f"{name} {text!r}: expected {kind.__name__}") from None
    if metadata["choices"] and value not in metadata["choices"]:
        raise SettingsError(f"{name} {text!r}: expected one of {', '.join(metadata['choices'])}")
    if isinstance(value, int | float) and not value >= metadata["minimum"]:
        raise SettingsError(f"{name} {text}: must be at least {metadata['minimum']}")
    return value
