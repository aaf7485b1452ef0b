"""Who is let in by HTTP: the same as by gRPC, and nobody more."""

from __future__ import annotations

import socket
from hashlib import sha256
from pathlib import Path

import pytest
import trustme

from service.api.server import Server
from service.errors import SettingsError
from tests.service.http.serving import Run, ask, eventually

CAT = {"texts": ["cat"], "modelSelection": {"model": "exact"}}
LONG = {**CAT, "texts": ["cat dog bird tree\n" * 10]}
CLIENTS = """
[clients.reader]
token_sha256 = ["{reader}"]
permissions = ["translate", "read_models"]
[clients.small]
token_sha256 = ["{small}"]
permissions = ["translate"]
max_source_tokens_per_minute = 20
"""


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def clients(tmp_path: Path) -> str:
    hashes = {name: sha256(f"{name}-secret".encode()).hexdigest() for name in ("reader", "small")}
    path = tmp_path / "clients.toml"
    path.write_text(CLIENTS.format(**hashes))
    return str(path)


def test_tokens_permissions_and_quotas_are_those_of_grpc(run: Run, clients: str) -> None:
    with run(clients=clients) as server:
        assert ask(server, "/v1/translate", CAT, headers=bearer("reader-secret")).status == 200
        nobody = ask(server, "/v1/translate", {"unknown": "field"})
        assert (nobody.status, nobody.reason()) == (401, "UNAUTHENTICATED")  # nothing is parsed for who may not ask
        assert nobody.headers["www-authenticate"] == "Bearer"
        assert ask(server, "/v1/translate", CAT, headers=bearer("guess")).status == 401
        denied = ask(server, "/v1/models", headers=bearer("small-secret"))
        assert (denied.status, denied.reason()) == (403, "PERMISSION_DENIED")
        assert ask(server, "/v1/translate:stream", {"text": "cat"}).status == 401
        assert ask(server, "/v1/translate", LONG, headers=bearer("small-secret")).status == 200
        spent = ask(server, "/v1/translate", CAT, headers=bearer("small-secret"))
        assert (spent.status, spent.reason()) == (429, "QUOTA_EXCEEDED")
        assert int(spent.headers["retry-after"]) > 1
        assert spent.detail("QuotaFailure")["violations"][0]["subject"] == "max_source_tokens_per_minute"
        assert ask(server, "/livez").status == ask(server, "/metrics").status == ask(server, "/").status == 200


def test_an_api_key_is_a_token(run: Run, clients: str) -> None:
    cat = {"q": "cat", "source": "en", "target": "xx"}
    with run(clients=clients) as server:
        answer = ask(server, "/translate", {**cat, "api_key": "reader-secret"})
        assert answer.json == {"translatedText": "katu"}
        assert ask(server, "/translate", cat, headers=bearer("reader-secret")).status == 200
        for body in (cat, {**cat, "api_key": "guess"}, {**cat, "api_key": 5}):
            refused = ask(server, "/translate", body)
            assert refused.status == 403
            assert "token" in refused.json["error"]
        assert ask(server, "/translate?api_key=reader-secret", cat).status == 200
        assert ask(server, "/frontend/settings").json["keyRequired"] is True
        assert ask(server, "/translate", {**cat, "q": LONG["texts"], "api_key": "small-secret"}).status == 200
        spent = ask(server, "/translate", {**cat, "api_key": "small-secret"})
        assert spent.status == 429
        assert spent.json["error"].startswith("Slowdown: ")


def test_where_everybody_must_show_a_certificate_nobody_comes_in_without_one(run: Run, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    (tmp_path / "server.crt").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    (tmp_path / "server.key").write_bytes(issued.private_key_pem.bytes())
    files = {
        "tls_certificate": str(tmp_path / "server.crt"),
        "tls_key": str(tmp_path / "server.key"),
        "tls_client_ca": str(tmp_path / "ca.pem"),
    }
    with run(**files) as server:
        for path, body in (("/v1/translate", CAT), ("/v1/models", None)):
            refused = ask(server, path, body, headers=bearer("whatever"))
            assert (refused.status, refused.reason()) == (401, "UNAUTHENTICATED")
            assert "client certificate" in refused.json["message"]
        assert ask(server, "/translate", {"q": "cat", "source": "en", "target": "xx"}).status == 403
        assert ask(server, "/readyz").status == 200


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


def test_pages_of_origins_that_are_allowed_may_call(run: Run) -> None:
    friend, stranger = {"Origin": "https://friend.example"}, {"Origin": "https://stranger.example"}
    with run(http_allowed_origins="https://friend.example, https://other.example") as server:
        for path in ("/v1/translate", "/translate"):
            allowed = ask(server, path, method="OPTIONS", headers=friend | PREFLIGHT)
            assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, friend["Origin"])
            refused = ask(server, path, method="OPTIONS", headers=stranger | PREFLIGHT)
            assert "access-control-allow-origin" not in refused.headers
        answer = ask(server, "/v1/translate", CAT, headers=friend)
        assert answer.headers["access-control-allow-origin"] == friend["Origin"]
        assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-origin" not in ask(server, "/v1/translate", CAT, headers=stranger).headers
        assert "access-control-allow-origin" not in ask(server, "/metrics", headers=friend).headers


def test_pages_that_may_call_are_told_that_the_port_is_full(run: Run) -> None:
    origin = {"Origin": "https://friend.example"}
    with run(http_allowed_origins=origin["Origin"], max_http_connections=1) as server, socket.socket() as held:
        host, port = server.http_address.split(":")
        held.connect((host, int(port)))
        held.sendall(b"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        for path in ("/v1/models", "/languages"):
            eventually(lambda path=path: ask(server, path, headers=origin).status == 503)
            assert ask(server, path, headers=origin).headers["access-control-allow-origin"] == origin["Origin"]


def test_every_origin_or_none(run: Run, server: Server) -> None:
    stranger = {"Origin": "https://stranger.example"}
    assert ask(server, "/v1/translate", method="OPTIONS", headers=stranger | PREFLIGHT).status == 405
    assert "access-control-allow-origin" not in ask(server, "/v1/models", headers=stranger).headers
    with run(http_allowed_origins="*") as every:
        assert ask(every, "/v1/models", headers=stranger).headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("origins", ["example.com", "https://example.com/", "https://a, ,https://b", "http://*/x"])
def test_what_is_no_origin_is_refused_at_the_start(run: Run, origins: str) -> None:
    with pytest.raises(SettingsError, match="http_allowed_origins"), run(http_allowed_origins=origins):
        pass


def test_where_the_api_is_off_there_are_probes_alone(run: Run) -> None:
    with run(http_api="off") as server:
        assert [ask(server, path).status for path in ("/livez", "/readyz", "/metrics")] == [200, 200, 200]
        assert [ask(server, path).status for path in ("/", "/openapi.json", "/languages", "/v1/models")] == [404] * 4
        assert ask(server, "/v1/translate", CAT).status == 404
