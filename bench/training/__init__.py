"""Training steps side by side with another toolkit's."""
