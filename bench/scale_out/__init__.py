"""Throughput of several replicas behind the real Envoy, each limited to the same share of a core."""
