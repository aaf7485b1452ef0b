"""Strange inputs for every RPC and both ports of a running server, and what must be true of the answers."""
