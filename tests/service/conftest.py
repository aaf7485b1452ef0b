from __future__ import annotations

import threading
from typing import Any

import pytest

from service.engine.runner import OnnxRunner


@pytest.fixture
def brake(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While it is cleared, every decoder step waits."""
    going, step = threading.Event(), OnnxRunner.step
    going.set()

    def braked(*arguments: Any) -> Any:
        going.wait(20)
        return step(*arguments)

    monkeypatch.setattr(OnnxRunner, "step", braked)
    return going
