"""Models that were trained elsewhere, as checkpoints: everything after that is the same export."""
