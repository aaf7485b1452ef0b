"""The service: runs exported bundles with ONNX Runtime behind gRPC. Never imports torch."""
