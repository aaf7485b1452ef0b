"""Recurrent models that differ in all that their settings offer."""

from __future__ import annotations

SMALL = {"embedding_size": 12, "hidden_size": 10, "readout_size": 8, "dropout": 0.0}
"""What they share: sizes at which a test is quick."""
FAMILIES = {
    "context": {"decoder": "context"},
    "context lstm, two layers": {
        "decoder": "context",
        "cell": "lstm",
        "num_encoder_layers": 2,
        "num_decoder_layers": 2,
    },
    "copied": {"decoder": "context", "is_bidirectional": False, "initial_state": "copied", "cell": "lstm"},
    "bahdanau": {"decoder": "bahdanau", "readout": "maxout"},
    "deep bahdanau": {"decoder": "bahdanau", "cell": "lstm", "num_decoder_layers": 2},
    "dot": {"decoder": "luong", "score": "dot", "is_memory_projected": True},
    "general": {"decoder": "luong", "score": "general", "is_input_feeding": True},
    "concat": {"decoder": "luong", "score": "concat", "cell": "lstm", "readout": "linear", "initial_state": "zeros"},
    "local": {"decoder": "luong", "score": "general", "local_window": 2, "is_input_feeding": True},
    "padded": {"decoder": "luong", "score": "general", "padded_source_tokens": 9},
}
