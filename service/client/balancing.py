"""How a client treats the replicas of a service, whether it sees them or a proxy before them.

A name in DNS may have many addresses: calls go to them in turn, but to none that cannot be reached or tells that it is
not ready. What was not answered because a replica was not there is asked again, elsewhere.
"""

from __future__ import annotations

import json

import grpc

_HEALTH_OF = "seq2serve.v1.TranslationService"
"""Its readiness is that of the process. A proxy that answers UNIMPLEMENTED is not watched."""
_RETRIED = {
    "seq2serve.v1.TranslationService": ("Translate", "TranslateStream", "Score", "Attend"),
    "seq2serve.v1.CaptionService": ("Caption",),
    "seq2serve.v1.ModelService": ("ListModels", "GetModel"),
}
"""Not BatchTranslate: a stream of items that is sent again waits for its own beginning."""
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": _HEALTH_OF},
    "methodConfig": [
        {
            "name": [{"service": service, "method": method} for service, names in _RETRIED.items() for method in names],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # A replica that ends takes all its calls along, and each may be asked again: up to 500. Where nothing answers any
    # more, nothing is asked again until other calls have gone well, two for each.
    "retryThrottling": {"maxTokens": 1000, "tokenRatio": 0.5},
}

CHANNEL_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # The longest request, too, can be asked again.
    ("grpc.per_rpc_retry_buffer_size", 8 * 2**20),
    # Replicas that were added or replaced are found within seconds of a connection's end, and not after half a minute;
    # those that were started again are tried again as soon, and not after up to two minutes.
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # Of a machine that lost its power nobody tells. The service allows a question every ten seconds.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


def is_worth_another_try(error: grpc.RpcError) -> bool:
    """Whether the service was not there, or is busy, so that the same call may go well later or elsewhere.

    That includes INTERNAL where it is not the service that says so, which always gives details: Envoy ends streams of
    a replica that is gone with it.
    """
    code = error.code()
    if code is grpc.StatusCode.INTERNAL:
        trailers = error.trailing_metadata() or () if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else ()
        return "grpc-status-details-bin" not in dict(trailers)
    return code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
