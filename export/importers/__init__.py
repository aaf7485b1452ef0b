"""Checkpoints of other projects, read as if our own training had written them. No code in them is executed."""
