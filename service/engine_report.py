"""What an engine tells of itself, for metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EXECUTIONS = ("kernels", "graph")
"""How a step of the decoder may run: kernel by kernel, or as one CUDA graph that was captured before."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did; durations in seconds, zero where a phase did not run."""

    num_encoded: int = 0
    num_source_tokens: int = 0
    num_padding_tokens: int = 0
    encode_seconds: float = 0.0
    """Until the runner's `encode` returned; one that encodes beside steps is not done by then."""
    num_rows: int = 0
    decode_seconds: float = 0.0
    execution: str = ""
    """How the decoder ran; empty where it did not, or failed."""
    num_following: int = 0
    """Requests for which this step's token followed one of the step before."""
    gap_seconds: float = 0.0
    """Time between these two tokens."""


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """How much an engine has to do right now."""

    num_running: int
    num_waiting: Mapping[str, int]
    """By what they wait for: `rows`, the `encoder`'s token budget, the end of the `step` under way, or, as sentences of
    texts that have begun, a place in the `queue`."""
    queue_limit: int
    cache_usage: Mapping[str, float]
    """Share of the cache's positions in use, by pool: `self` holds target positions, `cross` source positions."""
    num_rows: Mapping[str, int]
    """By phase: `decode` those in use, `encode` those of the last group that was encoded."""
    max_rows: int
    last_step_timestamp: float
    """When a step last ended, in seconds since the epoch; 0: never."""
