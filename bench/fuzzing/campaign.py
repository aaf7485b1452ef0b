"""A campaign: many inputs side by side against one server, while what it must always do is watched."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import grpc

from bench.fuzzing.calls import Call, Caller, Outcome
from bench.fuzzing.checks import leaks, problems
from bench.fuzzing.inputs import Inputs, PortAttack
from bench.fuzzing.results import CampaignResult, Memory, Violation
from bench.fuzzing.watch import Watch
from bench.fuzzing.wire import deliver

NUM_CHANNELS = 4
INPUTS_UNDER_WAY = 48
MAX_VIOLATIONS = 1000
"""More say nothing new: the campaign breaks off."""
ATTACKS_TOLD = 4
"""How many of the attacks before it are named where the server does not go on as before."""
LOOKS_PER_CAMPAIGN = 40
MAX_INPUTS_BETWEEN_LOOKS = 1000
SETTLE_SECONDS = 1.0
"""Time for what was written on a socket to take effect."""
CHANNEL_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # without it all channels of a process share one connection
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_retries", 0),  # an answer is to be seen as it was given
)


class Campaign:
    """Sends inputs to every RPC, health and reflection included, and to both ports below that."""

    def __init__(self, grpc_address: str, http_address: str, seed: int, num_inputs: int) -> None:
        """Nothing is sent yet.

        Args:
            grpc_address: host:port, without TLS.
            http_address: host:port of /metrics.
            seed: with the index of an input, what it is drawn from.
            num_inputs: to send.
        """
        self._grpc_address, self._http_address = grpc_address, http_address
        self._seed, self._num_inputs = seed, num_inputs
        self._statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._violations: list[Violation] = []
        self._attacks: deque[str] = deque(maxlen=ATTACKS_TOLD)
        self._num_done = 0

    async def run(self) -> CampaignResult:
        """Send all inputs; once.

        Raises:
            grpc.aio.AioRpcError: the server does not answer at the beginning.
        """
        started = time.monotonic()
        async with self._channels() as channels:
            watch, caller = Watch(channels[0], self._http_address), Caller(channels)
            inputs = Inputs(self._seed, await watch.begin())
            indices = iter(range(self._num_inputs))
            async with asyncio.TaskGroup() as group:
                for _ in range(INPUTS_UNDER_WAY):
                    group.create_task(self._work(indices, inputs, caller, watch))
            if not watch.is_gone:
                await self._finish(self._num_done, watch)
        statuses = {what: dict(counts) for what, counts in self._statuses.items()}
        memory, seconds = Memory(tuple(watch.samples)), time.monotonic() - started
        return CampaignResult(self._seed, self._num_done, statuses, tuple(self._violations), memory, seconds)

    async def run_only(self, index: int) -> tuple[Call | PortAttack, Outcome | bytes | None, list[Violation]]:
        """Send one input of the campaign: what it was, what came back, and what is wrong."""
        async with self._channels() as channels:
            watch = Watch(channels[0], self._http_address)
            drawn = Inputs(self._seed, await watch.begin()).draw(index)
            answer = await self._send(index, drawn, Caller(channels))
            await self._finish(index, watch)
        return drawn, answer, self._violations

    async def _work(self, indices: Iterator[int], inputs: Inputs, caller: Caller, watch: Watch) -> None:
        between = max(1, min(MAX_INPUTS_BETWEEN_LOOKS, self._num_inputs // LOOKS_PER_CAMPAIGN))
        for index in indices:
            answer = await self._send(index, inputs.draw(index), caller)
            self._num_done += 1
            is_refused = isinstance(answer, Outcome) and answer.code is grpc.StatusCode.UNAVAILABLE
            if index % between == 0 or (is_refused and not watch.is_gone):
                self._note(index, "watch", await watch.look(self._num_done))
            if watch.is_gone or len(self._violations) >= MAX_VIOLATIONS:
                return

    async def _finish(self, index: int, watch: Watch) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        self._note(index, "watch", await watch.look(self._num_done))
        self._note(index, "watch", await watch.until_idle())

    async def _send(self, index: int, drawn: Call | PortAttack, caller: Caller) -> Outcome | bytes | None:
        if isinstance(drawn, PortAttack):
            return await self._attack(index, drawn)
        outcome = await caller.run(drawn)
        self._statuses[drawn.method.path][outcome.name] += 1
        self._note(index, drawn.method.path, problems(drawn, outcome))
        return outcome

    async def _attack(self, index: int, drawn: PortAttack) -> bytes | None:
        what = f"{'HTTP' if drawn.is_http else 'gRPC'} port, {drawn.attack.name}"
        self._attacks.append(f"{index} ({what})")
        try:
            answer = await deliver(drawn.attack, self._http_address if drawn.is_http else self._grpc_address)
        except (OSError, TimeoutError) as error:
            self._statuses[what]["not taken"] += 1
            self._note(index, what, [f"{type(error).__name__}: {error}"])
            return None
        self._statuses[what]["answered" if answer else "silent"] += 1
        self._note(index, what, leaks(answer, b"".join(drawn.attack.pieces)))
        if drawn.is_http and b" 500 " in answer.partition(b"\r\n")[0]:
            self._note(index, what, ["status 500"])
        return answer

    def _note(self, index: int, what: str, found: list[str]) -> None:
        last = f"; the last attacks: {', '.join(self._attacks)}" if what == "watch" else ""
        self._violations += [Violation(self._seed, index, what, problem + last) for problem in found]

    @asynccontextmanager
    async def _channels(self) -> AsyncIterator[list[grpc.aio.Channel]]:
        channels = [grpc.aio.insecure_channel(self._grpc_address, options=CHANNEL_OPTIONS) for _ in range(NUM_CHANNELS)]
        try:
            yield channels
        finally:
            await asyncio.gather(*(channel.close() for channel in channels))
