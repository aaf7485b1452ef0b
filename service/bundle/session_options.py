"""What every session is told, and what those on CUDA are told besides."""

from __future__ import annotations

import os
from typing import Literal, TypeAlias

import onnxruntime as ort

from service.bundle.assignment import RECORDING
from service.device.device import Placement

Role: TypeAlias = Literal["encoder", "decoder", "explain", "rows"]
"""What a graph is to its bundle; `rows` write and move rows of its state."""


def session_options(is_placed: bool) -> ort.SessionOptions:
    """For any graph. `is_placed`: it runs on an accelerator."""
    options = ort.SessionOptions()
    options.use_per_session_threads = False
    options.log_severity_level = 3
    # It would remember a plan of memory for every shape, and no two batches have the same.
    options.enable_mem_pattern = False
    # Graphs are quantised as they should run; ONNX Runtime would move the quantisation about.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    # Weights outside of the graph would not be verified.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    if is_placed:
        options.add_session_config_entry(RECORDING, "1")
        # Weights take the memory they need; what is limited is what the arena holds, intermediate results.
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    return options


def cuda_options(role: Role, placement: Placement, max_arena_bytes: int) -> dict[str, str]:
    """For a graph on CUDA; whether steps are captured is said elsewhere.

    Args:
        role: decides on the stream. explain has one of its own, made by ONNX Runtime: it runs beside, on other threads.
        placement: of the bundle.
        max_arena_bytes: what intermediate results may take, and weights: they are counted there, though not kept there.
    """
    options = {
        "device_id": "0",
        "gpu_mem_limit": str(max_arena_bytes),
        # What grows by what is asked for never joins again: good for steps, whose sizes are few, and for nothing else.
        "arena_extend_strategy": "kSameAsRequested" if role == "decoder" else "kNextPowerOfTwo",
        # By default sums over a row are kept in float16.
        "enable_skip_layer_norm_strict_mode": "1",
        # By default convolutions are tried out anew for every new shape of input.
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    if role != "explain":
        stream = placement.encoder_stream if role == "encoder" else placement.decoder_stream
        options["user_compute_stream"] = str(stream.handle)
    return options
