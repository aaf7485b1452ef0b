"""What can go wrong in training, told to the person at the terminal."""


class TrainingError(Exception):
    """A mistake in input or settings; the message says what to change. The command exits with 2."""
