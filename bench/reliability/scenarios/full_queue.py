"""More requests at once than may wait: answered, or refused with a hint that holds."""

from __future__ import annotations

import asyncio

import grpc

from bench.reliability.calls import connected, translate
from bench.reliability.ground import Ground, Result
from bench.reliability.questions import Question
from bench.reliability.tally import HANG_SECONDS, Asker, Status, Tally
from service.client.bulk.requests import retry_delay_seconds

NAME = "full_queue"
NUM_REQUESTS = 300
FLAGS = ("--max-rows", "4", "--max-waiting", "16")
MAX_ATTEMPTS = 200


async def run(ground: Ground) -> Result:
    """All at once; each is tried again when the service says so, until it is answered."""
    tally, rng = Tally(), ground.random()
    async with ground.service(tally, *FLAGS) as service, connected(service.address) as stub:
        asker = Asker(stub, ground.answers, tally)
        questions = [ground.answers.draw(rng) for _ in range(ground.amount(NUM_REQUESTS, 4 * NUM_REQUESTS))]
        attempts = await asyncio.gather(*(until_answered(asker, question) for question in questions))
    num_refused = tally.statuses[Status.RESOURCE_EXHAUSTED.name]
    if not num_refused:
        tally.fault("nothing was refused: the queue was never full")
    answered_at_once = sum(number == 1 for number in attempts)
    figures = f"{len(questions)} requests, {answered_at_once} answered at once, {num_refused} refusals, "
    figures += f"at most {max(attempts)} attempts"
    return Result(NAME, figures, tuple(tally.faults))


async def until_answered(asker: Asker, question: Question) -> int:
    """How many attempts it took."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            answer = await translate(asker.stub, question, HANG_SECONDS)
        except grpc.aio.AioRpcError as error:
            delay = retry_delay_seconds(error)
            asker.tally.statuses[error.code().name] += 1
            if error.code() is not Status.RESOURCE_EXHAUSTED or not delay:
                asker.tally.fault(f"{error.code().name}, retry after {delay}: {error.details()}")
                return attempt
            await asyncio.sleep(delay)
        else:
            asker.tally.fault(asker.answers.fault(question, answer))
            return attempt
    asker.tally.fault(f"lost: not answered after {MAX_ATTEMPTS} attempts as told: {question.text!r}")
    return MAX_ATTEMPTS
