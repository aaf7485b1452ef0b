"""Rows about what carries the requests: engines, models, processes, the HTTP port, Envoy."""

from __future__ import annotations

from deploy.grafana.panels import (
    EDGE,
    MODEL,
    REPLICA,
    UPSTREAM,
    Panel,
    Query,
    Row,
    latency,
    lines,
    quantile,
    rate,
    stacked,
)

_DECODE_STEPS = rate("seq2serve_step_duration_seconds_count", f'{MODEL},phase="decode"', "model")
_PADDING = rate("seq2serve_padding_tokens_total", MODEL, "model")
_SOURCE = rate("seq2serve_source_tokens_total", MODEL, "model")

SATURATION = Row(
    "Saturation",
    (
        lines(
            "Rows in use",
            "percentunit",
            "Of --max-rows: 100 % is a full batch.",
            Query(f"max by (model, instance) (seq2serve_batch_rows_ratio{{{MODEL}}})", "{{model}} {{instance}}"),
        ),
        lines(
            "Batch size",
            "short",
            "Rows of a step, on average; rows of the last group that was encoded.",
            Query(
                f"{rate('seq2serve_target_tokens_total', MODEL, 'model')} / ({_DECODE_STEPS} > 0)", "{{model}} decode"
            ),
            Query(f'max by (model) (seq2serve_batch_rows{{{MODEL},phase="encode"}})', "{{model}} encode"),
        ),
        lines(
            "Key-value cache",
            "percentunit",
            "Positions in use: self of target tokens, cross of source tokens.",
            Query(f"max by (model, pool) (seq2serve_kv_cache_usage_ratio{{{MODEL}}})", "{{model}} {{pool}}"),
        ),
        stacked(
            "Running and waiting",
            "short",
            "Sentences, and what those that wait are waiting for.",
            Query(f"sum(seq2serve_requests_running{{{MODEL}}})", "running"),
            Query(f"sum by (reason) (seq2serve_requests_waiting{{{MODEL}}})", "waiting: {{reason}}"),
        ),
        lines(
            "Queue",
            "percentunit",
            "Of the sentences that may wait.",
            Query(f"seq2serve:queue:ratio{{{MODEL}}}", "{{model}} {{instance}}"),
        ),
        lines(
            "Padding",
            "percentunit",
            "Of what the encoder computes.",
            Query(f"{_PADDING} / ({_PADDING} + {_SOURCE} > 0)", "{{model}}"),
        ),
        lines(
            "RPCs under way",
            "short",
            "Those that do work.",
            Query(f"sum by (instance) (seq2serve_rpcs_running{{{REPLICA}}})", "{{instance}}"),
            width=12,
        ),
        lines(
            "Scores and attention under way",
            "short",
            "Requests, those that wait for their turn included.",
            Query(f"sum by (model) (seq2serve_explain_requests{{{MODEL}}})", "{{model}}"),
            width=12,
        ),
    ),
)

MODELS = Row(
    "Models",
    (
        Panel(
            "Models",
            "short",
            "What is served.",
            (
                Query(
                    f"max by (instance, model, version, precision, provider, sha256) (seq2serve_model_info{{{MODEL}}})"
                ),
            ),
            "table",
            12,
        ),
        lines(
            "Time to load",
            "s",
            "Of the version that is served.",
            Query(f"seq2serve_model_load_duration_seconds{{{MODEL}}}", "{{model}} {{instance}}"),
            width=6,
        ),
        stacked(
            "States",
            "short",
            "Models by state, on all replicas; and bundles that were refused.",
            Query(f"sum by (state) (seq2serve_model_state{{{MODEL}}})", "{{state}}"),
            Query(f"sum(seq2serve_refused_bundles{{{REPLICA}}})", "refused bundles"),
            width=6,
        ),
    ),
)

PROCESSES = Row(
    "Processes",
    (
        lines(
            "CPU",
            "suffix: cores",
            "Cores in use.",
            Query(f'rate(process_cpu_seconds_total{{job="seq2serve",{REPLICA}}}[$__rate_interval])', "{{instance}}"),
            width=6,
        ),
        lines(
            "Memory",
            "bytes",
            "Resident.",
            Query(f'process_resident_memory_bytes{{job="seq2serve",{REPLICA}}}', "{{instance}}"),
            width=6,
        ),
        lines(
            "Open files",
            "percentunit",
            "Of those that the process may open; connections are among them.",
            Query(
                f'process_open_fds{{job="seq2serve",{REPLICA}}} / process_max_fds{{job="seq2serve",{REPLICA}}}',
                "{{instance}}",
            ),
            width=6,
        ),
        lines(
            "Age",
            "s",
            "Since the process started.",
            Query(f'time() - process_start_time_seconds{{job="seq2serve",{REPLICA}}}', "{{instance}}"),
            width=6,
        ),
        lines(
            "GPU memory",
            "bytes",
            "In all, in use by anybody, in use by the service. Empty without a GPU.",
            Query(f"max by (instance, device, kind) (seq2serve_gpu_memory_bytes{{{REPLICA}}})", "{{device}} {{kind}}"),
            width=12,
        ),
        lines(
            "gRPC servers replaced",
            "short",
            "Within an hour; each is worth a look into the log.",
            Query(
                f"sum by (instance) (increase(seq2serve_grpc_port_replacements_total{{{REPLICA}}}[1h]))", "{{instance}}"
            ),
            width=12,
        ),
    ),
)

HTTP = Row(
    "HTTP port: page, JSON, LibreTranslate",
    (
        stacked(
            "Requests by route",
            "reqps",
            "Probes left out.",
            Query(rate("seq2serve_http_requests_total", REPLICA, "route"), "{{route}}"),
        ),
        stacked(
            "Requests by status",
            "reqps",
            "none: given up before there was an answer.",
            Query(rate("seq2serve_http_requests_total", REPLICA, "code"), "{{code}}"),
        ),
        latency("Duration", "seq2serve_http_request_duration_seconds", "Until the answer was written.", REPLICA),
    ),
)

ENVOY = Row(
    "Envoy",
    (
        stacked(
            "Answers by class",
            "reqps",
            "Status of HTTP; errors of gRPC come with 200.",
            Query(
                rate("envoy_http_downstream_rq_xx", EDGE, "envoy_http_conn_manager_prefix, envoy_response_code_class"),
                "{{envoy_http_conn_manager_prefix}} {{envoy_response_code_class}}xx",
            ),
        ),
        lines(
            "Time of the service, p95",
            "ms",
            "As Envoy sees it, retries apart.",
            Query(
                quantile(0.95, "envoy_cluster_upstream_rq_time", UPSTREAM, "envoy_cluster_name"),
                "{{envoy_cluster_name}}",
            ),
        ),
        lines(
            "Hosts",
            "short",
            "Replicas that Envoy knows, and those that it finds healthy.",
            Query(
                f"max by (envoy_cluster_name) (envoy_cluster_membership_total{{{UPSTREAM}}})", "{{envoy_cluster_name}}"
            ),
            Query(
                f"max by (envoy_cluster_name) (envoy_cluster_membership_healthy{{{UPSTREAM}}})",
                "{{envoy_cluster_name}} healthy",
            ),
        ),
        lines(
            "Retries",
            "reqps",
            "Tried again on another replica; those that then succeeded.",
            Query(rate("envoy_cluster_upstream_rq_retry", UPSTREAM, "envoy_cluster_name"), "{{envoy_cluster_name}}"),
            Query(
                rate("envoy_cluster_upstream_rq_retry_success", UPSTREAM, "envoy_cluster_name"),
                "{{envoy_cluster_name}} succeeded",
            ),
        ),
        lines(
            "Connections",
            "short",
            "Of clients to Envoy.",
            Query(
                f"sum by (envoy_http_conn_manager_prefix) (envoy_http_downstream_cx_active{{{EDGE}}})",
                "{{envoy_http_conn_manager_prefix}}",
            ),
        ),
        lines(
            "Requests under way",
            "short",
            "From Envoy to the replicas.",
            Query(
                f"sum by (envoy_cluster_name) (envoy_cluster_upstream_rq_active{{{UPSTREAM}}})",
                "{{envoy_cluster_name}}",
            ),
        ),
    ),
)
