"""What the fuzzing campaign stands on: inputs that can be repeated and miss nothing, and checks that can fail."""

from __future__ import annotations

import dataclasses
import math
from random import Random

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from bench.fuzzing import frames
from bench.fuzzing.calls import Call, Metadata, Outcome
from bench.fuzzing.checks import DETAILS_KEY, faults_in_log, leaks, problems
from bench.fuzzing.encoding import length_delimited, varint
from bench.fuzzing.generate import Generator
from bench.fuzzing.grpc_attacks import GRPC_ATTACKS
from bench.fuzzing.http_attacks import HTTP_ATTACKS
from bench.fuzzing.inputs import Inputs, PortAttack
from bench.fuzzing.methods import every_method
from bench.fuzzing.mutate import MAX_BYTES, MUTATIONS, mutate
from bench.fuzzing.results import CampaignResult, Memory, Violation
from bench.fuzzing.scrape import parse
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

METHODS = {method.name: method for method in every_method()}
REQUEST = pb.TranslateRequest.DESCRIPTOR


def fields_of(descriptor: Descriptor) -> set[str]:
    """Every field that can be reached from a message."""
    found: set[str] = set()
    waiting = [descriptor]
    while waiting:
        message = waiting.pop()
        fresh = {field.full_name for field in message.fields} - found
        waiting += [field.message_type for field in message.fields if field.message_type and field.full_name in fresh]
        found |= fresh
    return found


def filled(message: Message) -> set[str]:
    found = set()
    for field, value in message.ListFields():
        found.add(field.full_name)
        if field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                found |= filled(part)
    return found


@pytest.mark.parametrize("name", METHODS)
def test_every_field_is_filled_sooner_or_later(name: str) -> None:
    generator, descriptor = Generator(Random(1)), METHODS[name].request
    seen: set[str] = set()
    for _ in range(300):
        seen |= filled(generator.strange(descriptor))
    assert seen == fields_of(descriptor)


def test_the_limits_of_types_are_drawn() -> None:
    generator = Generator(Random(2))
    drawn = [generator.strange(pb.DecodingOptions.DESCRIPTOR) for _ in range(1000)]
    numbers = {message.beam_size for message in drawn}
    assert {-(2**31), 2**31 - 1, 0, 1} <= numbers
    assert 2**64 - 1 in {message.seed for message in drawn}
    assert any(math.isnan(message.top_p) for message in drawn)
    assert {math.inf, -math.inf} <= {message.top_p for message in drawn}
    assert {message.span_protection for message in drawn} - set(pb.SpanProtection.values())
    assert any(message.HasField("beam_size") and message.beam_size == 0 for message in drawn)
    assert {"", "\u0000"} <= {phrase for message in drawn for phrase in message.forbidden_phrases}


def test_the_same_state_draws_the_same() -> None:
    def draw() -> list[bytes]:
        random = Random(3)
        generator = Generator(random)
        contents = [generator.strange(REQUEST).SerializeToString(deterministic=True) for _ in range(50)]
        return contents + [mutate(content, random) for content in contents]

    assert draw() == draw()


@pytest.mark.parametrize("index", range(len(MUTATIONS)))
def test_a_mutation_takes_anything_and_says_something_else(index: int) -> None:
    random, content = Random(index), pb.TranslateRequest(texts=["cat"]).SerializeToString()
    assert isinstance(MUTATIONS[index](b"", random), bytes)
    assert any(MUTATIONS[index](content, random) != content for _ in range(20))


def test_some_mutants_parse_and_some_do_not() -> None:
    random, parsed = Random(4), 0
    for _ in range(500):
        content = mutate(pb.TranslateRequest(texts=["cat", "dog"]).SerializeToString(), random)
        assert len(content) <= MAX_BYTES
        try:
            pb.TranslateRequest.FromString(content)
            parsed += 1
        except DecodeError:
            pass
    assert 50 < parsed < 450


def test_numbers_are_written_as_protobuf_writes_them() -> None:
    assert varint(300) == b"\xac\x02"
    assert length_delimited(2, b"cat") == pb.TranslateRequest(texts=["cat"]).SerializeToString()
    # RFC 7541, C.1.2: 1337 in five bits is 31, 154, 10; in seven it is 127 and 1210.
    assert frames.header_block([(b"x", b"y" * 1337)]) == b"\x00\x01x\x7f\xba\x09" + b"y" * 1337


def test_an_input_depends_on_nothing_but_seed_and_index() -> None:
    first = [Inputs(7, ["exact"]).draw(index) for index in range(300)]
    inputs = Inputs(7, ["exact"])
    assert [inputs.draw(index) for index in reversed(range(300))] == first[::-1]
    assert [Inputs(8, ["exact"]).draw(index) for index in range(300)] != first
    assert {type(drawn) for drawn in first} == {Call, PortAttack}


def test_every_rpc_has_its_turn() -> None:
    inputs = Inputs(9, ["exact"])
    paths = {drawn.method.path for index in range(2000) if isinstance(drawn := inputs.draw(index), Call)}
    assert {method.path for method in every_method() if method.name not in ("LoadModel", "UnloadModel")} <= paths


def test_no_served_model_is_unloaded() -> None:
    unload = dataclasses.replace(METHODS["GetModel"], path="/seq2serve.v1.ModelService/UnloadModel")
    random, inputs = Random(10), Inputs(10, ["exact", "small"])
    contents = [inputs.request(unload, random) for _ in range(1000)]
    assert len(set(contents)) > 100
    assert not any(name in content for content in contents for name in (b"exact", b"small"))


@pytest.mark.parametrize("draw", [*GRPC_ATTACKS.values(), *HTTP_ATTACKS.values()])
def test_attacks_can_be_drawn_again(draw) -> None:
    pieces = draw(Random(6))
    assert pieces == draw(Random(6))
    assert all(isinstance(piece, bytes) for piece in pieces)


def trailers(code: grpc.StatusCode, field: str = "texts") -> Metadata:
    details = [
        error_details_pb2.ErrorInfo(reason="INVALID_FIELD", domain="seq2serve"),
        error_details_pb2.BadRequest(field_violations=[error_details_pb2.BadRequest.FieldViolation(field=field)]),
    ]
    status = status_pb2.Status(code=code.value[0])
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return ((DETAILS_KEY, status.SerializeToString()),)


CALL = Call(METHODS["Translate"], (b"",))
REFUSED = Outcome(
    grpc.StatusCode.INVALID_ARGUMENT, "texts: is empty", trailers(grpc.StatusCode.INVALID_ARGUMENT), (), is_stuck=False
)
GOOD = Outcome(grpc.StatusCode.OK, "", (), (pb.TranslateResponse(model="exact").SerializeToString(),), is_stuck=False)


def test_good_outcomes_have_no_problems() -> None:
    late = dataclasses.replace(REFUSED, code=grpc.StatusCode.DEADLINE_EXCEEDED, trailers=())
    assert problems(CALL, GOOD) == problems(CALL, REFUSED) == []
    assert problems(dataclasses.replace(CALL, deadline_seconds=0.001), late) == []


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (dataclasses.replace(GOOD, is_stuck=True), "had not ended"),
        (dataclasses.replace(GOOD, responses=(b"\xff",)), "does not parse"),
        (dataclasses.replace(GOOD, responses=()), "without a response"),
        (dataclasses.replace(REFUSED, trailers=()), "without details"),
        (dataclasses.replace(REFUSED, trailers=trailers(grpc.StatusCode.NOT_FOUND)), "details of 5"),
        (dataclasses.replace(REFUSED, trailers=((DETAILS_KEY, b""),)), "without ErrorInfo"),
        (dataclasses.replace(REFUSED, trailers=trailers(REFUSED.code, field="")), "names no field"),
        (dataclasses.replace(REFUSED, message="/usr/lib/service"), "holds '/usr'"),
        (dataclasses.replace(REFUSED, code=grpc.StatusCode.INTERNAL), "status INTERNAL"),
        (dataclasses.replace(REFUSED, code=grpc.StatusCode.DEADLINE_EXCEEDED, trailers=()), "without details"),
    ],
)
def test_problems_are_seen(outcome: Outcome, problem: str) -> None:
    assert problem in " ".join(problems(CALL, outcome))


def test_what_was_asked_is_no_leak() -> None:
    assert leaks(b"no model '/usr/x.py'", b"/usr/x.py") == []
    assert len(leaks(b'File "/usr/x.py"', b"")) == 2


def test_a_log_is_read_for_what_surprised_the_server() -> None:
    log = (
        "2026-11-21 20:00:05,353 INFO x: ERRONEOUS is no fault\n" + "2026-11-21 20:00:05,353 ERROR x: unforeseen\n" * 2
    )
    assert faults_in_log(log) == {"ERROR x: unforeseen": 2}
    assert not faults_in_log("2026-11-21 20:00:05,353 ERROR grpc: Failed sending error status from server")


def test_memory_is_judged_by_its_second_half() -> None:
    settled = Memory(tuple((index * 1000, 2**20 * min(index * 10, 300.0)) for index in range(61)))
    assert settled.slope == pytest.approx(0.0, abs=1e-6)
    growing = Memory(tuple((index * 1000, 2**20 * (100 + index)) for index in range(61)))
    assert growing.slope == pytest.approx(10.0)
    assert settled.is_bounded
    assert not growing.is_bounded
    result = CampaignResult(1, 60_000, {}, (), growing, 1.0)
    assert not result.is_clean
    assert not dataclasses.replace(result, memory=settled, violations=(Violation(1, 2, "x", "y"),)).is_clean
    assert "--seed 1 --only 2  x: y" in str(dataclasses.replace(result, violations=(Violation(1, 2, "x", "y"),)))


def test_metrics_are_summed_over_labels() -> None:
    page = '# HELP a b\n# TYPE a gauge\na{model="x"} 1.0\na{model="y"} 2.0\nb 1e+06\n'
    assert parse(page) == {"a": 3.0, "b": 1e6}
    assert parse(page)["c"] == 0
