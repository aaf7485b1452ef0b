"""The server's /metrics."""

from __future__ import annotations

import asyncio
import urllib.request
from collections import Counter
from collections.abc import Mapping

SCRAPE_SECONDS = 20.0
IDLE_GAUGES = ("seq2serve_requests_running", "seq2serve_requests_waiting", "seq2serve_kv_cache_usage_ratio")
"""All of them are zero where nothing is under way."""
MEMORY_GAUGE = "process_resident_memory_bytes"


async def scrape(http_address: str) -> Mapping[str, float]:
    """Every metric by name, summed over its labels.

    Raises:
        OSError: the port does not answer.
    """
    return parse(await asyncio.to_thread(_read, f"http://{http_address}/metrics"))


def parse(page: str) -> Mapping[str, float]:
    """A page in Prometheus' text format; names that it does not have are 0."""
    found: Counter[str] = Counter()
    for line in page.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            found[series.partition("{")[0]] += float(value)  # type: ignore[assignment]
    return found


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=SCRAPE_SECONDS) as response:  # noqa: S310 - our own server
        return str(response.read().decode())
