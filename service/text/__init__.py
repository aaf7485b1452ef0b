"""Text before the model and after it."""
