# The serving image: docker build --target cpu . (or cuda). docs/deploy/image.md says what is in it and why.
#
# Build arguments: MODELS (what is baked in), EXTRAS (of pyproject.toml), VERSION, REVISION, SOURCE and CREATED (labels),
# BASE (a mirror or a digest of the same Debian). Build secrets: pip.conf and ca-certificates, where the package index needs
# them; no layer and no history keeps them.
ARG BASE=debian:bookworm-slim

# What builds: nothing of it is in the result.
FROM ${BASE} AS tools
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_CACHE_DIR=/var/cache/pip \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY deploy/image ./deploy/image
# The environment to be filled, without pip in it. It runs on the Python that the result has, at the same place.
RUN python3.11 -m venv --without-pip /opt/seq2serve

# Debian's Python and what it needs, and no shell, no package manager, no compiler.
FROM tools AS system
RUN sh deploy/image/system.sh deploy/image/packages.txt /system

FROM tools AS requirements
COPY pyproject.toml constraints.txt ./

FROM requirements AS cpu-packages
ARG EXTRAS=tracing
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca-certificates \
    --mount=type=cache,target=/var/cache/pip \
    sh deploy/image/install.sh "cpu,${EXTRAS}"

FROM requirements AS cuda-packages
ARG EXTRAS=tracing
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca-certificates \
    --mount=type=cache,target=/var/cache/pip \
    sh deploy/image/install.sh "cuda,${EXTRAS}"

# The service by itself: a small layer above the large ones, which a change of the code leaves as they are.
FROM requirements AS code
COPY README.md LICENSE ./
COPY service ./service
ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca-certificates \
    --mount=type=cache,target=/var/cache/pip \
    sh deploy/image/install.sh service

# What the result consists of, by CycloneDX, with a tool that stays outside.
FROM requirements AS sbom
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca-certificates \
    --mount=type=cache,target=/var/cache/pip \
    sh deploy/image/install.sh sbom
COPY --from=system /system/var/lib/dpkg/status /system/status
COPY --from=code /opt/seq2serve /opt/seq2serve

FROM sbom AS cpu-sbom
COPY --from=cpu-packages /opt/seq2serve /opt/seq2serve
RUN /opt/sbom/bin/python deploy/image/sbom.py /opt/seq2serve /system/status /sbom/seq2serve.cdx.json

FROM sbom AS cuda-sbom
COPY --from=cuda-packages /opt/seq2serve /opt/seq2serve
RUN /opt/sbom/bin/python deploy/image/sbom.py /opt/seq2serve /system/status /sbom/seq2serve.cdx.json

# A directory of the build context with bundles, or another place: --build-context models=DIR.
FROM scratch AS models
ARG MODELS=models
COPY ${MODELS} /

# What both results share.
FROM scratch AS base
COPY --from=system /system /
ARG VERSION=0.1.0
ARG REVISION=""
ARG SOURCE=""
ARG CREATED=""
LABEL org.opencontainers.image.title="seq2serve" \
      org.opencontainers.image.description="Serves sequence-to-sequence models exported to ONNX over gRPC" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}"
# On the container's own network. Publish the ports on loopback, or set SEQ2SERVE_TLS_CERTIFICATE and the like
# (docs/operations.md); SEQ2SERVE_PLAINTEXT=loopback-only refuses to start without them.
ENV PATH=/opt/seq2serve/bin:/usr/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    SEQ2SERVE_MODELS=/models \
    SEQ2SERVE_GRPC_ADDRESS=0.0.0.0:50051 \
    SEQ2SERVE_HTTP_ADDRESS=0.0.0.0:8080 \
    SEQ2SERVE_PLAINTEXT=on-trusted-network
USER 10001:10001
EXPOSE 50051 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/seq2serve/bin/python", "-m", "service.health_check"]
ENTRYPOINT ["/opt/seq2serve/bin/python", "-m", "service"]

FROM base AS cuda
COPY --from=cuda-packages /opt/seq2serve /opt/seq2serve
COPY --from=models / /models
COPY --from=code /opt/seq2serve /opt/seq2serve
COPY --from=cuda-sbom /sbom /usr/share/sbom
# For NVIDIA's container runtime: which devices, and of the driver CUDA and NVML. The service takes the GPU for what can run
# there, which the bundled int8 translators cannot.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM base AS cpu
COPY --from=cpu-packages /opt/seq2serve /opt/seq2serve
COPY --from=models / /models
COPY --from=code /opt/seq2serve /opt/seq2serve
COPY --from=cpu-sbom /sbom /usr/share/sbom
