"""Engines over the toy model, and what tests do with them."""

from __future__ import annotations

from service.engine.engine import Engine
from service.engine.kv_cache import KVCache
from service.engine.scheduler import Scheduler
from service.request import DecodingOptions, Event, FinishedEvent, Request
from tests.service.toy import END, SPEC, ToyRunner


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make_engine(
    max_rows: int = 4, max_waiting: int = 1000, max_encoder_tokens: int = 64, runner: ToyRunner | None = None
) -> tuple[Engine, Clock]:
    clock = Clock()
    cache = KVCache(SPEC, max_rows, source_capacity=32, target_capacity=33)
    return Engine(runner or ToyRunner(), cache, Scheduler(max_waiting, max_encoder_tokens), clock), clock


def request(
    number: int,
    source: list[int],
    deadline: float | None = None,
    decoding: DecodingOptions | None = None,
    is_streaming: bool = False,
) -> Request:
    return Request(number, (*source, END), decoding or DecodingOptions(32), 0.0, deadline, is_streaming=is_streaming)


def run(engine: Engine) -> list[Event]:
    events: list[Event] = []
    while engine.has_work:
        events += engine.step()
        engine.check_integrity()
    return events


def translations(events: list[Event]) -> dict[int, list[int]]:
    return {
        event.request_id: list(event.translations[0].token_ids) for event in events if isinstance(event, FinishedEvent)
    }
