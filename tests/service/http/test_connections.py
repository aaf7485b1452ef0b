"""The HTTP port below the API: who may connect, and for how long; probes that answer all the same."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from service.api.http.connection import NUM_RESERVED
from service.api.server import Server
from service.api.text_translation import StreamedText
from tests.service.http.serving import Run, ask, eventually, handled, num_unfinished

CAT = {"texts": ["cat"], "modelSelection": {"model": "exact"}}
BODY = json.dumps(CAT).encode()
HEAD = b"POST /v1/translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    host, port = server.http_address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        yield connection


def test_probes_answer_while_every_connection_works(run: Run, brake: threading.Event) -> None:
    with run(max_http_connections=3) as server:
        brake.clear()
        threads = [threading.Thread(target=ask, args=(server, "/v1/translate", CAT)) for _ in range(3)]
        for thread in threads:
            thread.start()
        eventually(lambda: num_unfinished(server) == 3)
        assert [ask(server, path).status for path in ("/livez", "/readyz", "/metrics")] == [200, 200, 200]
        refused = ask(server, "/v1/models")
        assert (refused.status, refused.reason()) == (503, "TOO_MANY_CONNECTIONS")
        assert (refused.headers["connection"], refused.headers["retry-after"]) == ("close", "1")
        brake.set()
        for thread in threads:
            thread.join()
        assert ask(server, "/v1/models").status == 200


def test_more_connections_than_there_are_places_are_closed_at_once(run: Run) -> None:
    with run(max_http_connections=1) as server, ExitStack() as held:
        for _ in range(1 + NUM_RESERVED):
            held.enter_context(connected(server)).sendall(b"G")
        with pytest.raises(OSError, match="reset|closed|Remote"):
            ask(server, "/livez")


def test_an_idle_connection_makes_room(run: Run) -> None:
    with run(max_http_connections=1) as server, connected(server) as idle:
        for _ in range(2):
            idle.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            told = b""
            while not told.endswith(b"live\n"):
                told += idle.recv(1 << 16)
        assert ask(server, "/v1/models").status == 200
        assert idle.recv(1) == b""


def drip(connection: socket.socket) -> bytes:
    """One byte after another until the other side closes; what it says."""
    told = b""
    connection.settimeout(0.1)
    for _ in range(100):
        try:
            connection.sendall(b"x")
            part = connection.recv(1 << 16)
        except TimeoutError:
            continue
        except OSError:
            return told
        if not part:
            return told
        told += part
    pytest.fail("the connection is never closed")


def test_a_request_that_does_not_come_is_not_waited_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.http.connection.REQUEST_SECONDS", 0.5)
    beginnings = (b"", b"GET /livez HT", HEAD % 100 + b'{"texts"', b"GET /livez HTTP/1.1\r\nA: b\r\n")
    with run() as server, ExitStack() as opened, ThreadPoolExecutor() as pool:
        connections = [opened.enter_context(connected(server)) for _ in beginnings]
        for connection, beginning in zip(connections, beginnings, strict=True):
            connection.sendall(beginning)
        told = list(pool.map(drip, connections))
    assert [b" 408 " in answer for answer in told] == [False, False, True, False]


def test_a_client_that_reads_nothing_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.http.connection.UNREAD_SECONDS", 0.3)
    model = server.models.get("exact", "")
    before = handled(server, "TranslateStream", "CANCELLED", "server_stream")

    async def endless(*_: object) -> AsyncIterator[StreamedText]:
        while True:
            yield StreamedText("x" * 10_000)

    monkeypatch.setattr(model, "stream", endless)
    monkeypatch.setattr(model, "translating", lambda _: model)
    body = json.dumps({"text": "cat", "modelSelection": {"model": "exact"}}).encode()
    with connected(server) as deaf:
        deaf.sendall(HEAD.replace(b"/v1/translate", b"/v1/translate:stream") % len(body) + body)
        eventually(lambda: handled(server, "TranslateStream", "CANCELLED", "server_stream") == before + 1)


def test_requests_that_follow_each_other_are_all_answered(server: Server) -> None:
    with connected(server) as pipelined:
        pipelined.sendall(
            (HEAD % len(BODY) + BODY) * 3 + b"GET /livez HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n"
        )
        told = b"".join(iter(lambda: pipelined.recv(1 << 16), b""))
    assert told.count(b"HTTP/1.1 200 OK") == 4
    assert told.count(b'"katu"') == 3


def test_answers_do_not_wait_for_acknowledgements(server: Server) -> None:
    with connected(server):
        eventually(lambda: len(server._http._state.connections) == 1)
        [connection] = server._http._state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.mark.parametrize("host", [b"[::", b"a b", b"\xff", b"x" * 3000, b"a:b:c"])
def test_no_host_is_our_fault(server: Server, host: bytes) -> None:
    for target in (b"/v1/none", b"/none", b"/", b"http://[/v1/models"):
        with connected(server) as strange:
            strange.sendall(b"GET %s HTTP/1.1\r\nConnection: close\r\nHost: %s\r\n\r\n" % (target, host))
            told = b"".join(iter(lambda connection=strange: connection.recv(1 << 16), b""))
        assert told.split()[1] in (b"200", b"400", b"404")


def test_nonsense_after_an_answer_is_no_news(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with connected(server) as strange:
        strange.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert strange.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        strange.sendall(b"no length\r\n")
        with contextlib.suppress(ConnectionError):
            while strange.recv(1 << 16):
                pass
    with connected(server) as strange:
        strange.sendall(b"\x00\xff nonsense\r\n\r\n")
        assert strange.recv(1 << 16).startswith(b"HTTP/1.1 400 ")
    assert caplog.records == []


def test_probes_and_pages_know_get_and_head(server: Server) -> None:
    for path in ("/livez", "/metrics", "/", "/openapi.json"):
        answers = {method: ask(server, path, method=method) for method in ("GET", "HEAD", "POST", "DELETE")}
        assert [answer.status for answer in answers.values()] == [200, 200, 405, 405]
        assert answers["HEAD"].body == b""
        assert answers["GET"].headers["x-content-type-options"] == "nosniff"
        assert set(answers["POST"].headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_metrics_are_filtered_and_packed(server: Server) -> None:
    one = ask(server, "/metrics?name[]=seq2serve_build_info").body.decode()
    assert {line.split("{")[0] for line in one.splitlines() if not line.startswith("#")} == {"seq2serve_build_info"}
    packed = ask(server, "/metrics", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(ask(server, "/metrics").body) / 4


def test_the_port_is_free_again_when_it_has_stopped(run: Run) -> None:
    with run() as server:
        address = server.http_address
    with run(http_address=address) as again:
        assert ask(again, "/livez").status == 200


def test_probes_do_not_wait_for_the_loop_of_grpc(server: Server) -> None:
    loop, held = server._in_process._loop, threading.Event()
    assert loop is not None
    loop.call_soon_threadsafe(held.wait, 20)
    started = time.monotonic()
    try:
        assert ask(server, "/livez").status == 200
        assert ask(server, "/metrics").status == 200
    finally:
        held.set()
    assert time.monotonic() - started < 20
