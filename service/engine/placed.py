"""Where a bundle runs decides what runs it and what holds its rows: the host, or a device."""

from __future__ import annotations

from service.bundle.bundle import Bundle
from service.engine.device_runner import DeviceRunner
from service.engine.device_store import DeviceStore
from service.engine.kv_cache import KVCache
from service.engine.runner import OnnxRunner, Runner


def place_bundle(bundle: Bundle, num_rows: int) -> tuple[Runner, KVCache]:
    """What runs a bundle, and the books of `num_rows` rows.

    Raises:
        BundleError: its state is not for devices.
        DeviceError: the device has too little memory, or failed.
    """
    spec, limits = bundle.manifest.state, bundle.manifest.limits
    capacities = limits.max_source_tokens, limits.max_target_tokens + 1
    if bundle.placement is None:
        return OnnxRunner(bundle), KVCache(spec, num_rows, *capacities)
    assert bundle.row_graphs is not None
    store = DeviceStore(spec, num_rows, *capacities, bundle.placement, bundle.row_graphs)
    return DeviceRunner(bundle, bundle.placement, store), KVCache(spec, num_rows, *capacities, store)
