"""The memory that all models share: weights and KV caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.bundle.manifest import Manifest
from service.engine.kv_cache import KVCache
from service.errors import MemoryBudgetError
from service.settings import Settings


@dataclass(frozen=True)
class Demand:
    """What a model needs."""

    name: str
    """For messages."""
    weight_bytes: int
    bytes_per_row: int
    max_rows: int
    """More are of no use."""
    min_rows: int
    """With fewer it cannot be served."""

    def num_bytes(self, num_rows: int) -> int:
        """With that many rows, or all that are of use."""
        return self.weight_bytes + min(num_rows, self.max_rows) * self.bytes_per_row


@dataclass(frozen=True, eq=False)
class Reservation:
    """What a model was granted."""

    demand: Demand
    num_rows: int

    @property
    def num_bytes(self) -> int:
        """Weights and rows."""
        return self.demand.num_bytes(self.num_rows)


class MemoryBudget:
    """Grants memory to models; two versions of one model, as during a swap, are two models."""

    def __init__(self, max_bytes: int | None = None) -> None:
        """`max_bytes`: None for no limit."""
        self._max_bytes = max_bytes
        self._reservations: set[Reservation] = set()

    @property
    def used_bytes(self) -> int:
        """What is granted."""
        return sum(reservation.num_bytes for reservation in self._reservations)

    def plan(self, demands: Sequence[Demand]) -> list[Reservation]:
        """Grant memory to models that begin together: the same number of rows to each that has use for them.

        Where it can be, as much is left as the largest of them takes, so that a new version of any can be loaded beside
        the old one.

        Raises:
            MemoryBudgetError: they do not fit.
        """
        widest = max((demand.max_rows for demand in demands), default=0)
        counts = range(widest, 0, -1)
        rows = next((count for count in counts if self._has_room(demands, count, with_room_for_swap=True)), None)
        if rows is None:
            rows = next((count for count in counts if self._has_room(demands, count, with_room_for_swap=False)), None)
        if rows is None:
            least = sum(demand.num_bytes(demand.min_rows) for demand in demands)
            names = ", ".join(demand.name for demand in demands)
            raise MemoryBudgetError(f"{names} take at least {_mebibytes(least)}; {self._left()}")
        return [self._grant(demand, min(rows, demand.max_rows)) for demand in demands]

    def reserve(self, demand: Demand) -> Reservation:
        """Grant memory to one more model.

        As many rows as are left and no more than any other model has: what it leaves is room for the next swap.

        Raises:
            MemoryBudgetError: what is left is too little.
        """
        num_rows = demand.max_rows
        if self._max_bytes is not None:
            left = self._max_bytes - self.used_bytes - demand.weight_bytes
            fair = max((granted.num_rows for granted in self._reservations), default=demand.max_rows)
            num_rows = min(demand.max_rows, left // demand.bytes_per_row, max(fair, demand.min_rows))
        if num_rows < demand.min_rows:
            raise MemoryBudgetError(
                f"{demand.name} takes {_mebibytes(demand.weight_bytes)} of weights and at least "
                f"{_mebibytes(demand.min_rows * demand.bytes_per_row)} of KV cache; {self._left()}"
            )
        return self._grant(demand, num_rows)

    def release(self, reservation: Reservation) -> None:
        """Take back what was granted. Once is enough."""
        self._reservations.discard(reservation)

    def _grant(self, demand: Demand, num_rows: int) -> Reservation:
        reservation = Reservation(demand, num_rows)
        self._reservations.add(reservation)
        return reservation

    def _has_room(self, demands: Sequence[Demand], num_rows: int, with_room_for_swap: bool) -> bool:
        if any(min(num_rows, demand.max_rows) < demand.min_rows for demand in demands):
            return False
        sizes = [demand.num_bytes(num_rows) for demand in demands]
        needed = sum(sizes) + (max(sizes) if with_room_for_swap else 0)
        return self._max_bytes is None or self.used_bytes + needed <= self._max_bytes

    def _left(self) -> str:
        limit = self._max_bytes or 0
        return f"max_memory_mebibytes leaves {_mebibytes(limit - self.used_bytes)} of {_mebibytes(limit)}"


def demand_of(manifest: Manifest, settings: Settings) -> Demand:
    """What a model needs under these settings.

    Raises:
        MemoryBudgetError: its own limit does not hold one row.
    """
    limits = manifest.limits
    capacities = limits.max_source_tokens, limits.max_target_tokens + 1
    bytes_per_row = max(1, KVCache.bytes_per_row(manifest.state, *capacities))  # a damaged manifest may name no state
    max_rows = settings.max_rows
    if settings.max_cache_mebibytes:
        max_rows = min(max_rows, settings.max_cache_mebibytes * 2**20 // bytes_per_row)
        if not max_rows:
            raise MemoryBudgetError(
                f"max_cache_mebibytes {settings.max_cache_mebibytes}: one row of {manifest.name} takes "
                f"{_mebibytes(bytes_per_row)}"
            )
    min_rows = min(settings.max_beam_size, max_rows)
    return Demand(manifest.name, manifest.files.num_weight_bytes, bytes_per_row, max_rows, min_rows)


def _mebibytes(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:.1f} MiB"
