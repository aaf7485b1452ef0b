# The serving image. EXTRA chooses the runtime, cpu (default) or cuda, and whether traces can be sent: cpu,tracing.
FROM python:3.11-slim-bookworm AS build
ARG EXTRA=cpu
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY service service
RUN python -m venv /opt/seq2serve \
    && /opt/seq2serve/bin/pip install --no-cache-dir --constraint constraints.txt ".[${EXTRA}]"

FROM python:3.11-slim-bookworm
COPY --from=build /opt/seq2serve /opt/seq2serve
COPY models /models
RUN useradd --system --uid 10001 --no-create-home seq2serve
USER 10001
EXPOSE 50051 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["/opt/seq2serve/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["/opt/seq2serve/bin/python", "-m", "service"]
# On the container's own network. Publish the ports on loopback, or set SEQ2SERVE_TLS_CERTIFICATE and the like
# (docs/operations.md); SEQ2SERVE_PLAINTEXT=loopback-only refuses to start without them.
ENV SEQ2SERVE_MODELS=/models \
    SEQ2SERVE_GRPC_ADDRESS=0.0.0.0:50051 \
    SEQ2SERVE_HTTP_ADDRESS=0.0.0.0:8080 \
    SEQ2SERVE_PLAINTEXT=on-trusted-network
