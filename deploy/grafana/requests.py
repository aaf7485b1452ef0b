"""Rows about the requests: how the service is, its error budget, latency, throughput, errors."""

from __future__ import annotations

from deploy.grafana.panels import (
    API,
    MODEL,
    REPLICA,
    TRANSLATE,
    Limit,
    Query,
    Row,
    latency,
    lines,
    mean,
    number,
    quantile,
    rate,
    stacked,
)

FIRING = 'count(ALERTS{alertstate="firing",severity!="none"}) or vector(0)'
BURN_WINDOWS = ("5m", "30m", "1h", "6h", "3d")


def _budget_left(slo: str) -> str:
    return f'1 - max(seq2serve:slo_burn:rate30d{{slo="{slo}"}})'


OVERVIEW = Row(
    "Overview",
    (
        number(
            "Ready replicas",
            "short",
            "As they say themselves.",
            f"sum(seq2serve_ready{{{REPLICA}}})",
            Limit(1, is_least=True),
        ),
        number("Alerts firing", "short", "Without the one that always fires.", FIRING, Limit(1)),
        number("RPCs", "reqps", "Of the API.", f"sum(rate(grpc_server_handled_total{{{API}}}[$__rate_interval]))"),
        number(
            "Translate, p99",
            "s",
            "The objective is one second.",
            quantile(0.99, "grpc_server_handling_seconds", TRANSLATE),
            Limit(1),
        ),
        number(
            "Errors",
            "percentunit",
            "RPCs that fail by our fault or for want of room, over five minutes.",
            'max(seq2serve:slo_error_ratio:rate5m{slo="availability"})',
            Limit(0.001),
        ),
        number(
            "Availability budget left",
            "percentunit",
            "Of 30 days; below zero it is overspent.",
            _budget_left("availability"),
            Limit(0, is_least=True),
        ),
        number(
            "Latency budget left",
            "percentunit",
            "Of 30 days; below zero it is overspent.",
            _budget_left("latency"),
            Limit(0, is_least=True),
        ),
        number(
            "Fullest queue",
            "percentunit",
            "New texts are refused from about 87 % on.",
            f"max(seq2serve:queue:ratio{{{MODEL}}})",
            Limit(0.7),
        ),
    ),
)

BUDGET = Row(
    "Error budget",
    tuple(
        lines(
            f"{slo.capitalize()}: burn rate",
            "suffix: ×",
            "1 spends the budget in exactly 30 days. Alerts: above 14.4 (1 h and 5 min) or 6 (6 h and 30 min); "
            "3 (1 d and 2 h) or 1 (3 d and 6 h).",
            *(Query(f'seq2serve:slo_burn:rate{window}{{slo="{slo}"}}', window) for window in BURN_WINDOWS),
            width=12,
        )
        for slo in ("availability", "latency")
    ),
)

LATENCY = Row(
    "Latency",
    (
        latency("RPC: Translate", "grpc_server_handling_seconds", "From call to answer, of any size.", TRANSLATE),
        latency(
            "Sentence: arrival to end", "seq2serve_e2e_request_latency_seconds", "Translated ones, batch work included."
        ),
        latency("Time to first token", "seq2serve_time_to_first_token_seconds", "From the arrival of a sentence."),
        latency("Between tokens", "seq2serve_inter_token_latency_seconds", "Gaps between the tokens of a sentence."),
        latency(
            "Time in the queue", "seq2serve_request_queue_time_seconds", "From arrival until the sentence has rows."
        ),
        lines(
            "Encode and decode",
            "s",
            "Mean of a sentence.",
            Query(mean("seq2serve_request_encode_time_seconds"), "{{model}} encode"),
            Query(mean("seq2serve_request_decode_time_seconds"), "{{model}} decode"),
        ),
        lines(
            "Engine step, p95",
            "s",
            "One run of the encoder, or one token for all rows.",
            Query(quantile(0.95, "seq2serve_step_duration_seconds", MODEL, "model, phase"), "{{model}} {{phase}}"),
            width=6,
        ),
        stacked(
            "Steps by execution",
            "suffix: steps/s",
            "Of the decoder: kernel by kernel, or as one captured CUDA graph. On the CPU all are kernels.",
            Query(rate("seq2serve_steps_total", MODEL, "model, execution"), "{{model}} {{execution}}"),
            width=6,
        ),
        latency(
            "Scores, attention, alignments",
            "seq2serve_explain_duration_seconds",
            "Runs of explain.onnx, the wait before them left out.",
            width=6,
        ),
        lines(
            "Sentence by model, p99",
            "s",
            "Over five minutes.",
            Query(
                'seq2serve:e2e_request_latency_seconds:quantile_rate5m{quantile="0.99",model=~"$model"}', "{{model}}"
            ),
            width=6,
        ),
    ),
)

THROUGHPUT = Row(
    "Throughput",
    (
        stacked(
            "RPCs by method",
            "reqps",
            "Ended, whatever their status.",
            Query(rate("grpc_server_handled_total", API, "grpc_method"), "{{grpc_method}}"),
        ),
        stacked(
            "Sentences",
            "suffix: sentences/s",
            "Translated: to their end, or cut off at a limit (length).",
            Query(
                rate("seq2serve_request_success_total", MODEL, "model, finish_reason"), "{{model}} {{finish_reason}}"
            ),
        ),
        lines(
            "Tokens",
            "suffix: tokens/s",
            "Encoded, and decoded of all rows.",
            Query(rate("seq2serve_source_tokens_total", MODEL, "model"), "{{model}} source"),
            Query(rate("seq2serve_target_tokens_total", MODEL, "model"), "{{model}} target"),
        ),
        lines(
            "Tokens of a sentence",
            "short",
            "Mean.",
            Query(mean("seq2serve_request_source_tokens"), "{{model}} source"),
            Query(mean("seq2serve_request_target_tokens"), "{{model}} target"),
        ),
        lines(
            "Beam size",
            "short",
            "Mean number of hypotheses side by side.",
            Query(mean("seq2serve_request_beam_size"), "{{model}}"),
        ),
        lines(
            "Messages",
            "suffix: messages/s",
            "Of all RPCs; a stream has many.",
            Query(rate("grpc_server_msg_received_total", API, "grpc_method"), "{{grpc_method}} received"),
            Query(rate("grpc_server_msg_sent_total", API, "grpc_method"), "{{grpc_method}} sent"),
        ),
    ),
)

ERRORS = Row(
    "Errors",
    (
        stacked(
            "RPCs by code",
            "reqps",
            "All but OK.",
            Query(rate("grpc_server_handled_total", f'{API},grpc_code!="OK"', "grpc_code"), "{{grpc_code}}"),
        ),
        stacked(
            "Refusals by reason",
            "reqps",
            "The reason of ErrorInfo.",
            Query(rate("seq2serve_rejections_total", REPLICA, "reason"), "{{reason}}"),
        ),
        stacked(
            "Sentences not translated",
            "suffix: sentences/s",
            "By reason; cancelled ones and those past their deadline included.",
            Query(rate("seq2serve_request_failures_total", MODEL, "reason"), "{{reason}}"),
        ),
        stacked(
            "Outcome of RPCs",
            "reqps",
            "Of those whose model exists.",
            Query(rate("seq2serve_requests_total", MODEL, "method, outcome"), "{{method}} {{outcome}}"),
            width=12,
        ),
        stacked(
            "Work for nobody",
            "suffix: tokens/s",
            "Decoded tokens that nobody got, by reason; what a beam drops is its price.",
            Query(rate("seq2serve_discarded_tokens_total", MODEL, "reason"), "{{reason}}"),
            width=12,
        ),
    ),
)
