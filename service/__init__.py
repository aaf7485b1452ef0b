"""The service: runs exported bundles with ONNX Runtime behind gRPC. Never imports torch."""

import os

# ONNX Runtime 1.31 reports to its makers from where it runs, and keeps an identifier in the home directory, unless told
# otherwise before it is imported. What this service does is nobody else's business.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
