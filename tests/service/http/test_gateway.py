"""The public API as JSON."""

from __future__ import annotations

import logging
import threading
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from service.api.server import Server
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.service.http.serving import Run, ask, eventually, handled, num_unfinished

EXACT = {"model": "exact"}
CAT = {"texts": ["big cat"], "modelSelection": EXACT}
SLOW = {"minTargetTokens": 30, "maxTargetTokens": 30}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_translation_is_that_of_grpc(server: Server) -> None:
    options = {"beamSize": 3, "numHypotheses": 2}
    wanted = {"scores": True, "tokenLogProbs": True, "alignment": True}
    asked = {**CAT, "decoding": options, "return_options": wanted}
    answer = ask(server, "/v1/translate", asked, headers={"X-Request-Id": "order-66"})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert (answer.headers["x-request-id"], answer.headers["cache-control"]) == ("order-66", "no-store")
    with grpc.insecure_channel(server.grpc_address) as channel:
        expected = pb_grpc.TranslationServiceStub(channel).Translate(
            json_format.ParseDict(asked, pb.TranslateRequest())
        )
    assert json_format.ParseDict(answer.json, pb.TranslateResponse()) == expected
    assert answer.json["results"][0]["hypotheses"][0]["text"] == "katu mak"
    assert answer.json["results"][0]["hypotheses"][0]["protectedSpans"] == []


def test_a_call_is_found_in_logs_by_the_callers_ids(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="service.rpc"):
        ask(server, "/v1/translate", CAT, headers={"X-Request-Id": "order-67", "traceparent": TRACE})
    [line] = [record for record in caplog.records if "Translate OK" in record.getMessage()]
    assert line.__dict__["trace_id"] == TRACE.split("-")[1]


def test_pairs_are_scored_and_explained(server: Server) -> None:
    score = ask(server, "/v1/score", {"pairs": [{"source": "cat", "target": "katu"}], "modelSelection": EXACT}).json
    assert score["scores"][0]["logProb"] == pytest.approx(sum(one["logProb"] for one in score["scores"][0]["tokens"]))
    attended = ask(server, "/v1/attend", {"source": "big cat", "modelSelection": EXACT}).json
    heat = attended["maps"][0]
    assert (heat["layer"], heat["head"]) == (0, 0)  # written though they are the default
    assert sum(heat["weights"]) == pytest.approx(heat["rows"], abs=1e-3)


def test_models_are_listed_by_page_and_one_by_one(server: Server) -> None:
    first = ask(server, "/v1/models?page_size=1").json
    rest = ask(server, f"/v1/models?pageToken={first['nextPageToken']}").json
    assert [model["name"] for model in (*first["models"], *rest["models"])] == ["exact", "small"]
    assert ask(server, "/v1/models/small").json["model"] == rest["models"][0]
    missing = ask(server, "/v1/models/none")
    assert (missing.status, missing.reason()) == (404, "MODEL_NOT_FOUND")


def test_models_are_loaded_and_unloaded_by_who_may(server: Server, run: Run) -> None:
    refused = ask(server, "/v1/models:load", {"directory": "small"})
    assert (refused.status, refused.reason()) == (403, "PERMISSION_DENIED")
    with run(anonymous_permissions="read_models,administer_models") as administered:
        assert ask(administered, "/v1/models:unload", {"name": "small"}).json == {}
        assert len(ask(administered, "/v1/models").json["models"]) == 1
        assert ask(administered, "/v1/models:load", {"directory": "small"}).json["model"]["name"] == "small"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"[1]", "body"),
        (b'{"texts": ["cat"', "body"),
        (b'{"texts": [], "texts": []}', "body"),
        (b'{"texts": ["\xff"]}', "body"),
        (b'{"a":' * 100_000, "body"),
        ({"text": ["cat"]}, "text"),
        ({"decoding": {"beams": 2}}, "decoding.beams"),
        ({"decoding": {"beamSize": "many"}}, "decoding.beamSize"),
        ({"decoding": {"terminology": [{}, {"source": 1}]}}, "decoding.terminology.source"),
        ({"texts": "cat"}, "texts"),
        ({"texts": [None]}, "texts[0]"),
        ({"texts": ["\ud800"]}, "texts[0]"),
        ({"priority": "SOON"}, "priority"),
        ({"texts": ["cat"] * 129}, "texts"),
        ({"texts": ["cat"], "decoding": {"beamSize": 99}}, "decoding.beam_size"),
    ],
)
def test_what_is_wrong_with_a_body_is_named(server: Server, body: Any, field: str) -> None:
    before = handled(server, "Translate", "INVALID_ARGUMENT")
    answer = ask(server, "/v1/translate", body, headers={"Content-Type": "application/json; charset=utf-8"})
    assert (answer.status, answer.json["code"], answer.reason()) == (400, 3, "INVALID_FIELD")
    assert answer.field() == field
    assert answer.headers["x-request-id"] == answer.detail("RequestInfo")["requestId"]
    assert handled(server, "Translate", "INVALID_ARGUMENT") == before + 1


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/models?page_size=many", "page_size"),
        ("/v1/models?page_size=201", "page_size"),
        ("/v1/models?page_size=1&page_size=2", "page_size"),
        ("/v1/models?size=1", "size"),
        ("/v1/models/exact?name=small", "name"),
    ],
)
def test_what_is_wrong_with_a_query_is_named(server: Server, path: str, field: str) -> None:
    answer = ask(server, path)
    assert (answer.status, answer.field()) == (400, field)


def test_fields_of_a_body_do_not_go_into_the_query(server: Server) -> None:
    answer = ask(server, "/v1/translate?priority=PRIORITY_BATCH", CAT)
    assert (answer.status, answer.field()) == (400, "priority")


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_pages_may_send_unasked_is_no_request(server: Server, media_type: str) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = ask(server, "/v1/translate", b'{"texts": ["cat"]}', headers=headers)
    assert (answer.status, answer.field()) == (415, "Content-Type")


def test_paths_and_methods_that_are_none(server: Server) -> None:
    missing, wrong = ask(server, "/v1/guess"), ask(server, "/v1/translate", method="PUT")
    assert (missing.status, missing.reason()) == (404, "UNKNOWN_METHOD")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert ask(server, "/guess").status == 404


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_that_is_too_long_is_refused_before_it_is_read(run: Run, is_announced: bool) -> None:
    body = b'{"texts": ["' + b"x" * 5000
    with run(max_message_bytes=1024) as server:
        headers = {"Content-Type": "application/json"}
        if not is_announced:
            headers["Transfer-Encoding"] = "chunked"
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        answer = ask(server, "/v1/translate", body, headers=headers)
    assert (answer.status, answer.field()) == (413, "body")
    assert "1024" in answer.json["message"]


def test_a_long_body_is_read_elsewhere_and_answered_alike(server: Server) -> None:
    padded = {"texts": ["cat" + " " * 19_000, "big dog"], "modelSelection": EXACT}
    answer = ask(server, "/v1/translate", padded)
    assert (
        answer.json["results"][1]["hypotheses"][0]["text"]
        == ask(server, "/v1/translate", {"texts": ["big dog"], "modelSelection": EXACT}).json["results"][0][
            "hypotheses"
        ][0]["text"]
    )
    refused = ask(server, "/v1/translate", {**padded, "unknown": "x" * 20_000})
    assert (refused.status, refused.field()) == (400, "unknown")


def test_a_deadline_stops_the_work(server: Server, brake: threading.Event) -> None:
    before = handled(server, "Translate", "DEADLINE_EXCEEDED")
    brake.clear()
    answer = ask(server, "/v1/translate", CAT, headers={"Grpc-Timeout": "300m"})
    brake.set()
    assert (answer.status, answer.reason()) == (504, "DEADLINE_EXCEEDED")
    assert handled(server, "Translate", "DEADLINE_EXCEEDED") == before + 1
    eventually(lambda: num_unfinished(server) == 0)
    assert ask(server, "/v1/translate", CAT, headers={"Grpc-Timeout": "1M"}).status == 200
    wrong = ask(server, "/v1/translate", CAT, headers={"Grpc-Timeout": "soon"})
    assert (wrong.status, wrong.field()) == (400, "Grpc-Timeout")


def test_a_full_queue_says_when_to_come_back(run: Run, brake: threading.Event) -> None:
    with run(max_rpcs=1) as server:
        brake.clear()
        first = threading.Thread(target=ask, args=(server, "/v1/translate", CAT))
        first.start()
        eventually(lambda: num_unfinished(server) == 1)
        refused = ask(server, "/v1/translate", CAT)
        brake.set()
        first.join()
    assert (refused.status, refused.reason(), refused.headers["retry-after"]) == (429, "TOO_MANY_RPCS", "1")
    assert refused.detail("RetryInfo")["retryDelay"] == "1s"


def test_draining_answers_what_was_accepted_and_refuses_the_rest(run: Run, brake: threading.Event) -> None:
    outcomes = []
    with run(drain_seconds=20.0) as server:
        brake.clear()
        accepted = threading.Thread(target=lambda: outcomes.append(ask(server, "/v1/translate", CAT)))
        accepted.start()
        eventually(lambda: num_unfinished(server) == 1)
        server._edge.draining.set()
        refused = ask(server, "/v1/translate", CAT)
        threading.Timer(0.5, brake.set).start()
    accepted.join()
    assert (refused.status, refused.reason()) == (503, "SHUTTING_DOWN")
    assert outcomes[0].json["results"][0]["hypotheses"][0]["text"] == "katu mak"


def test_an_unforeseen_error_tells_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("/etc/secret is not a file")

    monkeypatch.setattr(server.models, "select", fail)
    answer = ask(server, "/v1/translate", CAT)
    assert (answer.status, answer.reason()) == (500, "INTERNAL")
    assert b"secret" not in answer.body
