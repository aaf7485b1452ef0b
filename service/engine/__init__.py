"""The engine: continuous batching over one model. One thread, deterministic, knows neither gRPC nor asyncio."""
