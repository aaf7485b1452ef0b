"""The edge: gRPC services, interceptors, health, and the HTTP port."""
