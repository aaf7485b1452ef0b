"""Pictures that clients send, decoded with limits."""
