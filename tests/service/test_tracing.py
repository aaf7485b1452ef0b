"""Traces as a collector receives them, and without one."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from itertools import pairwise

import grpc
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from service.errors import SettingsError
from service.request import Timing
from service.tracing import NO_SPAN, load_tracing
from tests.service.collector import Collector, attributes

METHOD = "/seq2serve.v1.TranslationService/Translate"
TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
MALFORMED = [
    "",
    "garbage",
    TRACEPARENT.upper(),
    TRACEPARENT.removesuffix("-01"),
    f"{TRACEPARENT}-more",
    f"{TRACEPARENT}0",
    f"ff-{TRACE_ID}-{PARENT_ID}-01",
    f"0-{TRACE_ID}-{PARENT_ID}-01",
    f"00-{'0' * 32}-{PARENT_ID}-01",
    f"00-{TRACE_ID}-{'0' * 16}-01",
    f"00-{TRACE_ID}0-{PARENT_ID}-01",
    f"00-{TRACE_ID[:-1]}g-{PARENT_ID}-01",
    f"00-{TRACE_ID}-{PARENT_ID}-xx",
    f"01-{TRACE_ID}-{PARENT_ID}-01more",
]
LATER_VERSIONS = [f"01-{TRACE_ID}-{PARENT_ID}-01", f"fe-{TRACE_ID}-{PARENT_ID}-01-more"]


def timing_from(arrival: float) -> Timing:
    return Timing(
        num_source_tokens=7,
        arrival=arrival,
        admitted=arrival + 0.001,
        encoded=arrival + 0.003,
        first_token=arrival + 0.004,
        finished=arrival + 0.008,
    )


def test_a_sentence_is_a_tree_of_spans_under_its_rpc(collector: Collector) -> None:
    tracing = load_tracing(collector.endpoint, "1.2.3")
    before = time.time_ns()
    rpc = tracing.start(METHOD, {})
    timing = timing_from(time.monotonic())
    time.sleep(0.01)
    rpc.sentence("en-ko", timing, 5)
    rpc.end(grpc.StatusCode.OK, client="reader", request_id="r1")
    after = time.time_ns()
    tracing.stop()

    root, sentence = collector.spans[METHOD[1:]], collector.spans["translate sentence"]
    queue, encode, decode = (collector.spans[name] for name in ("queue", "encode", "decode"))
    assert len(collector.spans) == 5
    assert {span.trace_id.hex() for span in collector.spans.values()} == {rpc.trace_id}
    assert len(rpc.trace_id) == 32
    assert root.parent_span_id == b""
    assert sentence.parent_span_id == root.span_id
    assert {span.parent_span_id for span in (queue, encode, decode)} == {sentence.span_id}

    [first_token] = decode.events
    assert first_token.name == "first token"
    moments = [
        *(before, root.start_time_unix_nano, sentence.start_time_unix_nano),
        *(queue.end_time_unix_nano, encode.end_time_unix_nano, first_token.time_unix_nano),
        *(decode.end_time_unix_nano, root.end_time_unix_nano, after),
    ]
    # The clocks are read one after the other; epoch may step meanwhile.
    assert all(later - earlier > -1_000_000 for earlier, later in pairwise(moments))
    assert sentence.start_time_unix_nano == queue.start_time_unix_nano
    assert queue.end_time_unix_nano == encode.start_time_unix_nano
    assert encode.end_time_unix_nano == decode.start_time_unix_nano
    assert decode.end_time_unix_nano == sentence.end_time_unix_nano
    assert decode.end_time_unix_nano - decode.start_time_unix_nano == pytest.approx(5_000_000, abs=1000)


def test_a_sentence_that_failed_has_a_span_that_says_why(collector: Collector) -> None:
    tracing = load_tracing(collector.endpoint, "1")
    rpc = tracing.start(METHOD, {})
    arrival = time.monotonic()
    time.sleep(0.01)
    rpc.failed_sentence("en-ko", arrival, 7, "DEADLINE_EXCEEDED")
    rpc.end(grpc.StatusCode.DEADLINE_EXCEEDED)
    rpc.failed_sentence("en-ko", arrival, 7, "CANCELLED")  # nobody listens any more
    tracing.stop()

    root, sentence = collector.spans[METHOD[1:]], collector.spans["translate sentence"]
    assert len(collector.spans) == 2
    assert sentence.parent_span_id == root.span_id
    assert sentence.end_time_unix_nano - sentence.start_time_unix_nano > 10_000_000
    assert sentence.status.code == Status.STATUS_CODE_ERROR
    told = attributes(sentence.attributes)
    assert told == {"seq2serve.model": "en-ko", "seq2serve.source_tokens": 7, "error.type": "DEADLINE_EXCEEDED"}


def test_attributes(collector: Collector) -> None:
    tracing = load_tracing(collector.endpoint, "1.2.3")
    rpc = tracing.start(METHOD, {})
    rpc.sentence("en-ko", timing_from(time.monotonic()), 5)
    rpc.end(grpc.StatusCode.NOT_FOUND, client="reader", request_id="r1")
    tracing.stop()

    root = collector.spans[METHOD[1:]]
    assert root.kind == Span.SPAN_KIND_SERVER
    assert attributes(root.attributes) == {
        "rpc.system": "grpc",
        "rpc.service": "seq2serve.v1.TranslationService",
        "rpc.method": "Translate",
        "rpc.grpc.status_code": 5,
        "seq2serve.client": "reader",
        "seq2serve.request_id": "r1",
    }
    assert attributes(collector.spans["translate sentence"].attributes) == {
        "seq2serve.model": "en-ko",
        "seq2serve.source_tokens": 7,
        "seq2serve.target_tokens": 5,
    }
    resource = attributes(collector.resource.attributes)
    assert (resource["service.name"], resource["service.version"]) == ("seq2serve", "1.2.3")


def test_who_asks_is_left_out_where_nobody_knows(collector: Collector) -> None:
    tracing = load_tracing(collector.endpoint, "1")
    tracing.start(METHOD, {}).end(grpc.StatusCode.OK)
    tracing.stop()
    names = attributes(collector.spans[METHOD[1:]].attributes)
    assert names.keys().isdisjoint({"seq2serve.client", "seq2serve.request_id"})


@pytest.mark.parametrize("traceparent", [TRACEPARENT, *LATER_VERSIONS])
def test_the_callers_trace_goes_on(collector: Collector, traceparent: str) -> None:
    tracing = load_tracing(collector.endpoint, "1")
    rpc = tracing.start(METHOD, {"traceparent": traceparent, "tracestate": "vendor=value"})
    rpc.end(grpc.StatusCode.OK)
    tracing.stop()
    root = collector.spans[METHOD[1:]]
    assert rpc.trace_id == root.trace_id.hex() == TRACE_ID
    assert root.parent_span_id.hex() == PARENT_ID
    assert root.trace_state == "vendor=value"


def test_a_caller_who_does_not_sample_is_obeyed(collector: Collector) -> None:
    tracing = load_tracing(collector.endpoint, "1")
    rpc = tracing.start(METHOD, {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-00"})
    rpc.sentence("en-ko", timing_from(time.monotonic()), 5)
    rpc.end(grpc.StatusCode.INTERNAL, client="reader")
    tracing.stop()
    assert rpc.trace_id == TRACE_ID
    assert not collector.spans


def test_environment_variables_of_opentelemetry(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "translator")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=ignored,deployment.environment.name=test")
    tracing = load_tracing(collector.endpoint, "1")
    tracing.start(METHOD, {}).end(grpc.StatusCode.OK)
    tracing.stop()
    resource = attributes(collector.resource.attributes)
    assert (resource["service.name"], resource["service.version"]) == ("translator", "1")
    assert resource["deployment.environment.name"] == "test"

    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    collector.spans.clear()
    tracing = load_tracing(collector.endpoint, "1")
    rpc = tracing.start(METHOD, {})
    rpc.end(grpc.StatusCode.OK)
    tracing.start("/callers", {"traceparent": TRACEPARENT}).end(grpc.StatusCode.OK)
    tracing.stop()
    assert list(collector.spans) == ["callers"]
    assert len(rpc.trace_id) == 32

    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracing = load_tracing(collector.endpoint, "1")
    assert tracing.start(METHOD, {}).trace_id == ""
    tracing.stop()


def test_only_faults_of_the_server_are_errors(collector: Collector) -> None:
    tracing = load_tracing(collector.endpoint, "1")
    for code in grpc.StatusCode:
        tracing.start(f"/{code.name}", {}).end(code)
    tracing.stop()
    failed = {name for name, span in collector.spans.items() if span.status.code == Status.STATUS_CODE_ERROR}
    assert failed == {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
    assert len(collector.spans) == len(grpc.StatusCode)


@pytest.mark.parametrize("malformed", MALFORMED)
def test_malformed_traceparents_are_ignored(collector: Collector, malformed: str) -> None:
    assert load_tracing("", "1").start(METHOD, {"traceparent": malformed}) is NO_SPAN
    tracing = load_tracing(collector.endpoint, "1")
    rpc = tracing.start(METHOD, {"traceparent": malformed})
    rpc.end(grpc.StatusCode.OK)
    tracing.stop()
    assert rpc.trace_id not in ("", TRACE_ID, "0" * 32)
    assert collector.spans[METHOD[1:]].parent_span_id == b""


def test_without_an_endpoint_the_callers_trace_id_is_known_all_the_same() -> None:
    tracing = load_tracing("", "1")
    for traceparent in (TRACEPARENT, *LATER_VERSIONS):
        rpc = tracing.start(METHOD, {"traceparent": traceparent})
        assert rpc.trace_id == TRACE_ID
        rpc.sentence("en-ko", timing_from(0.0), 5)
        rpc.end(grpc.StatusCode.OK, client="reader", request_id="r1")
    assert tracing.start(METHOD, {}).trace_id == ""
    tracing.stop()


def test_without_an_endpoint_opentelemetry_is_not_loaded() -> None:
    program = (
        "import sys, service.__main__\n"
        "from service.tracing import load_tracing\n"
        f"assert load_tracing('', '1').start({METHOD!r}, {{'traceparent': {TRACEPARENT!r}}}).trace_id\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("accepts", [False, True], ids=["refuses", "never answers"])
def test_stop_does_not_wait_long_for_a_collector_that_is_away(accepts: bool, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        if not accepts:
            listening.close()
        tracing = load_tracing(endpoint, "1")
        for _ in range(1000):
            tracing.start(METHOD, {}).end(grpc.StatusCode.OK)
        before = time.monotonic()
        tracing.stop()
        assert time.monotonic() - before < 6
    assert "the collector did not take all traces within 4 s" in caplog.text
    tracing.start(METHOD, {}).end(grpc.StatusCode.OK)
    tracing.stop()


@pytest.mark.parametrize(
    "endpoint",
    [
        "127.0.0.1:4317",
        "http://127.0.0.1",
        "http://:4317",
        "http://host:port",
        "http://host:70000",
        "http://[::1:4317",
        "ftp://127.0.0.1:4317",
        "http://127.0.0.1:4318/v1/traces",
        "http://name:secret@127.0.0.1:4317",
    ],
)
def test_malformed_endpoints(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="otlp_endpoint .*: expected http://host:port or https://host:port"):
        load_tracing(endpoint, "1")


@pytest.mark.parametrize("endpoint", ["http://localhost:4317", "https://collector.example:4317/", "http://[::1]:4317"])
def test_endpoints(endpoint: str) -> None:
    tracing = load_tracing(endpoint, "1")
    assert len(tracing.start(METHOD, {}).trace_id) == 32
    tracing.stop()


def test_without_opentelemetry_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "service.open_telemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match=r"pip install 'seq2serve\[tracing\]'"):
        load_tracing("http://127.0.0.1:4317", "1")
