"""Writes openapi.json from the protos and their comments: `make protos` calls it, and the HTTP port serves the file."""
