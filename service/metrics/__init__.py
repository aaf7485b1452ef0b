"""What Prometheus sees: families, those of an engine, what is read from engines and devices when it is scraped."""
