"""The HTTP port: the API as JSON, LibreTranslate's API, probes and metrics, and the page."""
