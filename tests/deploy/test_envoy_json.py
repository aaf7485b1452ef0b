"""What browsers and plain HTTP clients get from Envoy: JSON as from the service itself, gRPC-Web, CORS."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

import pytest

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from tests.deploy.compose import service_environment
from tests.deploy.conftest import StartEnvoy, StartReplica
from tests.deploy.envoy_process import EnvoyProcess
from tests.deploy.load import TEXTS
from tests.deploy.replica import Replica
from tests.http_client import Answer, ask

pytestmark = pytest.mark.deploy

TRANSLATE = "/seq2serve.v1.TranslationService/Translate"
TEXT = TEXTS[0]
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-grpc-web"}
TRAILERS = 0x80
"""Flag of the gRPC-Web frame that holds them."""


@pytest.fixture(scope="module")
def replica(start_replica: StartReplica) -> Replica:
    return start_replica(environment=service_environment())


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy, replica: Replica) -> EnvoyProcess:
    return start_envoy(replica)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v1/translate",
            {"texts": list(TEXTS), "returnOptions": {"scores": True, "tokenLogProbs": True, "alignment": True}},
        ),
        ("/v1/translate", {"texts": [TEXT], "decoding": {"beam_size": 3, "numHypotheses": 3}}),
        (
            "/v1/translate",
            {"texts": ['%s <b>파일</b> \u0000 "quoted"'], "modelSelection": {"targetLanguageCode": "ko"}},
        ),
        ("/v1/score", {"pairs": [{"source": TEXT, "target": "파일을 엽니다."}]}),
        ("/v1/attend", {"source": TEXT, "kinds": ["ATTENTION_KIND_CROSS"], "returnEncodings": True}),
        (
            "/v1/attend",
            {"source": " ".join(["file"] * 240), "target": "파일 " * 100, "kinds": ["ATTENTION_KIND_CROSS"]},
        ),
        ("/v1/models", None),
        ("/v1/models?pageSize=1&page_token=", None),
        ("/v1/models/en-ko-software", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_answers_are_those_of_the_services_own_gateway(
    path: str, body: object, replica: Replica, envoy: EnvoyProcess
) -> None:
    through, directly = ask(envoy.grpc_address, path, body), ask(replica.http_address, path, body)
    assert (through.status, through.headers["content-type"]) == (200, "application/json"), through.body[:200]
    assert _is_same(through.json, directly.json)


def test_a_stream_is_the_same_lines(replica: Replica, envoy: EnvoyProcess) -> None:
    through = ask(envoy.grpc_address, "/v1/translate:stream", {"text": TEXTS[2]})
    assert through.status == 200
    assert through.lines == ask(replica.http_address, "/v1/translate:stream", {"text": TEXTS[2]}).lines
    assert "".join(line["delta"]["text"] for line in through.lines[:-1]) == _translation(through.lines[-1]["result"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/translate", {"texts": [TEXT], "decoding": {"beamSize": 1000}}),
        ("/v1/translate", {"texts": []}),
        ("/v1/translate", {"texts": [TEXT], "modelSelection": {"model": "none"}}),
        ("/v1/translate:stream", {"text": TEXT, "decoding": {"beamSize": 1000}}),
        ("/v1/attend", {"source": " ".join(["file"] * 240), "target": "파일 " * 100}),
        ("/v1/models/none", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_errors_of_the_service_are_the_same(path: str, body: object, replica: Replica, envoy: EnvoyProcess) -> None:
    headers = {"X-Request-Id": "mine"}
    through = ask(envoy.grpc_address, path, body, headers=headers)
    directly = ask(replica.http_address, path, body, headers=headers)
    assert through.status == directly.status >= 400
    assert _without_defaults(through.json) == _without_defaults(directly.json)
    assert through.headers["x-request-id"] == "mine"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/translate", b'{"texts": [', 400),
        ("/v1/translate", {"texts": 3}, 400),
        ("/v1/models?nothing=1", None, 400),
        ("/v1/nothing", None, 404),
        ("/v1/models:load", {"directory": "a"}, 403),
    ],
    ids=["broken", "wrong type", "unknown field", "unknown path", "one replica"],
)
def test_what_envoy_refuses_has_the_status_that_the_service_gives(
    path: str, body: object, status: int, replica: Replica, envoy: EnvoyProcess
) -> None:
    headers = {"Content-Type": "application/json"}
    assert ask(replica.http_address, path, body, headers=headers).status == status
    assert ask(envoy.grpc_address, path, body, headers=headers).status == status


def test_a_body_has_the_services_limit(envoy: EnvoyProcess) -> None:
    answer = ask(envoy.grpc_address, "/v1/translate", {"texts": ["a" * 4_200_000]})
    assert (answer.status, answer.json["message"]) == (400, "TranslateRequest: 4200005 bytes; limit 4194304")


def test_a_page_of_another_site_cannot_send_json_in_disguise(replica: Replica, envoy: EnvoyProcess) -> None:
    for address in (envoy.grpc_address, replica.http_address):
        answer = ask(address, "/v1/translate", b'{"texts": ["a"]}', headers={"Content-Type": "text/plain"})
        assert (answer.status, answer.json["code"]) == (415, 3)


def test_a_deadline_is_kept(envoy: EnvoyProcess) -> None:
    answer = ask(envoy.grpc_address, "/v1/translate", {"texts": [TEXTS[2] * 100]}, headers={"Grpc-Timeout": "50m"})
    assert (answer.status, answer.json["code"]) == (504, 4)


@pytest.mark.parametrize("kind", ["application/grpc-web+proto", "application/grpc-web-text"])
def test_grpc_web_is_answered(kind: str, envoy: EnvoyProcess) -> None:
    for options, code in ((pb.DecodingOptions(), "0"), (pb.DecodingOptions(beam_size=1000), "3")):
        message, trailers = _grpc_web(envoy, kind, pb.TranslateRequest(texts=[TEXT], decoding=options))
        assert trailers["grpc-status"] == code
        if code == "0":
            assert _translation_of(pb.TranslateResponse.FromString(message)) == "파일을 엽니다."
        else:
            assert "grpc-status-details-bin" in trailers


@pytest.mark.parametrize("path", ["/v1/translate", TRANSLATE])
def test_pages_of_this_machine_are_let_in_and_others_are_not(path: str, envoy: EnvoyProcess) -> None:
    page, other = "http://localhost:3000", "https://localhost.example.com"
    allowed = ask(envoy.grpc_address, path, method="OPTIONS", headers={**PREFLIGHT, "Origin": page})
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, page)
    assert {"content-type", "x-grpc-web", "grpc-timeout"} <= _names(allowed, "access-control-allow-headers")
    refused = ask(envoy.grpc_address, path, method="OPTIONS", headers={**PREFLIGHT, "Origin": other})
    assert "access-control-allow-origin" not in refused.headers
    answer = ask(envoy.grpc_address, "/v1/translate", {"texts": [TEXT]}, headers={"Origin": page})
    assert {"grpc-status-details-bin", "x-request-id"} <= _names(answer, "access-control-expose-headers")


def test_the_http_port_is_the_services_less_what_is_of_one_replica(replica: Replica, envoy: EnvoyProcess) -> None:
    for path in ("/", "/openapi.json", "/languages", "/livez", "/readyz", "/v1/models"):
        through, directly = ask(envoy.http_address, path), ask(replica.http_address, path)
        assert (through.status, through.body) == (200, directly.body), path
    assert ask(envoy.http_address, "/metrics").status == 404
    assert ask(envoy.http_address, "//metrics").status == 404
    assert ask(envoy.http_address, "/v1/models:load", {"directory": "a"}).status == 403
    answer = ask(envoy.http_address, "/translate", {"q": TEXT, "source": "en", "target": "ko"})
    assert answer.json["translatedText"] == "파일을 엽니다."


def _grpc_web(envoy: EnvoyProcess, kind: str, request: pb.TranslateRequest) -> tuple[bytes, dict[str, str]]:
    """The message and the trailers of one call."""
    content = request.SerializeToString()
    body = struct.pack(">BI", 0, len(content)) + content
    is_text = kind.endswith("text")
    answer = ask(
        envoy.grpc_address,
        TRANSLATE,
        base64.b64encode(body) if is_text else body,
        headers={"Content-Type": kind, "X-Grpc-Web": "1", "Accept": kind},
    )
    if "grpc-status" in answer.headers:  # there is nothing but trailers
        return b"", dict(answer.headers)
    frames, rest = {}, _decoded(answer.body) if is_text else answer.body
    while rest:
        flag, length = struct.unpack_from(">BI", rest)
        frames[flag], rest = rest[5 : 5 + length], rest[5 + length :]
    lines = frames[TRAILERS].decode().split("\r\n")
    return frames.get(0, b""), dict(line.split(":", 1) for line in lines if line)


def _decoded(text: bytes) -> bytes:
    """Frames that are base64 each, with the padding of each."""
    return b"".join(base64.b64decode(text[start : start + 4]) for start in range(0, len(text), 4))


def _names(answer: Answer, header: str) -> set[str]:
    return {name.strip() for name in answer.headers[header].split(",")}


def _translation(result: dict[str, Any]) -> str:
    return str(result["hypotheses"][0]["text"])


def _translation_of(response: pb.TranslateResponse) -> str:
    return str(response.results[0].hypotheses[0].text)


def _is_same(one: Any, other: Any) -> bool:
    """Two writers of JSON round a float to different digits."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-30)
    return bool(one == other)


def _without_defaults(status: dict[str, Any]) -> Any:
    """Envoy writes fields of the details that have their default."""
    if isinstance(status, dict):
        return {name: _without_defaults(value) for name, value in status.items() if value not in ("", {}, [])}
    return [_without_defaults(one) for one in status] if isinstance(status, list) else status
