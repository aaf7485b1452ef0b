"""LibreTranslate's HTTP API, so that its clients work unchanged."""

PATHS = frozenset(
    {"/translate", "/languages", "/detect", "/frontend/settings", "/health", "/suggest", "/translate_file"}
)
