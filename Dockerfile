# The tap alone, as an ordinary user. Build it from the repository's root; docs/running/container.md
# says how to use it.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY tap_visma_economic tap_visma_economic
RUN python -m venv /opt/tap && /opt/tap/bin/pip install --no-cache-dir .

FROM python:3.13-slim
COPY --from=build /opt/tap /opt/tap
RUN useradd --create-home --uid 10001 tap
ENV PATH="/opt/tap/bin:$PATH" PYTHONUNBUFFERED=1
USER 10001
WORKDIR /work
ENTRYPOINT ["tap-visma-economic"]
CMD ["--help"]
