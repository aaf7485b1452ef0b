"""Endless training batches, epoch after epoch, from wherever a run stands."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import torch


class TrainingBatch(Protocol):
    """What the training loop asks of a batch itself; the rest is between the data and the objective."""

    def to(self, device: torch.device) -> Self:
        """The same batch on `device`."""
        ...


AnyBatch = TypeVar("AnyBatch", bound=TrainingBatch)
Plan = TypeVar("Plan")
"""What a batch is made of: cheap to list for a whole epoch, unlike the batch."""


@dataclass(kw_only=True)
class Stream(ABC, Generic[Plan, AnyBatch]):
    """Endless training batches; `epoch` and `position` say where it stands, so that a run can resume.

    Several processes take turns: batch k of the stream is for the process whose rank is k mod `num_processes`.
    `epoch` and `position` are those of the whole stream after a round, the same in every process.
    """

    epoch: int = 0
    position: int = 0
    rank: int = 0
    num_processes: int = 1

    @abstractmethod
    def plans(self, epoch: int) -> Iterable[Plan]:
        """Of each batch of an epoch, in order; the same whenever it is asked."""

    @abstractmethod
    def batch(self, plan: Plan) -> AnyBatch:
        """The batch itself; only asked for by the process whose turn it is."""

    def __iter__(self) -> Iterator[AnyBatch]:
        everyone = self._iterate_plans()
        while True:
            turns = list(itertools.islice(everyone, self.num_processes))
            yield self.batch(turns[self.rank])

    def _iterate_plans(self) -> Iterator[Plan]:
        while True:
            for plan in itertools.islice(self.plans(self.epoch), self.position, None):
                self.position += 1
                yield plan
            self.epoch, self.position = self.epoch + 1, 0
