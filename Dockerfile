# The tap alone, with the dependencies of uv.lock, as an ordinary user. Build it from the repository's
# root; docs/running/container.md says how to use it.
# A tag can come to mean another image. CI looks its digest up and builds with it:
# --build-arg PYTHON=python:3.13-slim@sha256:...
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE CHANGELOG.md ./
COPY tap_visma_economic tap_visma_economic
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir uv==0.13.9 && \
    UV_PROJECT_ENVIRONMENT=/opt/tap /opt/uv/bin/uv sync --locked --no-dev --no-editable --no-cache

FROM ${PYTHON}
RUN python -m pip uninstall --yes --root-user-action=ignore pip && useradd --create-home --uid 10001 tap
COPY --from=build /opt/tap /opt/tap
ENV PATH="/opt/tap/bin:$PATH" PYTHONUNBUFFERED=1
USER 10001
WORKDIR /work
ENTRYPOINT ["tap-visma-economic"]
CMD ["--help"]
