"""Training: parallel text in, PyTorch checkpoints out. Imports nothing else of this project."""
