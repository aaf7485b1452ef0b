from __future__ import annotations

import random
import threading
import time

from service.device.capture_gate import CaptureGate


def test_runs_go_together_and_a_capture_goes_alone() -> None:
    gate, lock, under_way, seen = CaptureGate(), threading.Lock(), [0, 0], []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(60):
            is_capture = chance.random() < 0.2
            with gate.capturing() if is_capture else gate.running():
                with lock:
                    under_way[is_capture] += 1
                    seen.append(tuple(under_way))
                time.sleep(chance.random() * 0.0005)
                with lock:
                    under_way[is_capture] -= 1

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(seen) == 360
    assert all(captures == 0 or (captures, runs) == (1, 0) for runs, captures in seen)
    assert max(runs for runs, _ in seen) > 1


def test_a_run_that_fails_leaves_the_gate_open() -> None:
    gate = CaptureGate()
    for way in (gate.running, gate.loading, gate.capturing):
        try:
            with way():
                raise RuntimeError
        except RuntimeError:
            pass
    with gate.capturing():
        pass


def test_a_capture_that_waits_for_a_load_lets_others_run() -> None:
    gate = CaptureGate()
    captured = threading.Event()

    def capture() -> None:
        with gate.capturing():
            captured.set()

    thread = threading.Thread(target=capture)
    with gate.loading():
        thread.start()
        for _ in range(3):
            with gate.running():
                assert not captured.wait(0.01)
    thread.join(10)
    assert captured.is_set()
