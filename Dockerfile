# Serves trial-dropout@champion on port 8080, by the names localhost and 127.0.0.1 (others: --name).
# First ./run_all.sh (it makes data/processed/champion), then
#   docker build -t attrition . && docker run --rm -p 127.0.0.1:8080:8080 attrition
FROM python:3.11.16-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7 AS build
WORKDIR /app
COPY requirements-serving.lock .
RUN sed -n '/^uv==/,/[^\\]$/p' requirements-serving.lock > uv.lock \
    && pip install --no-cache-dir --require-hashes -r uv.lock \
    && uv venv --python "$(command -v python)" /venv \
    && uv pip install --no-cache --python /venv/bin/python --require-hashes --compile-bytecode -r requirements-serving.lock
COPY pyproject.toml README.md LICENSE params.yaml claims.yaml ./
COPY lib lib
RUN uv pip install --no-cache --python /venv/bin/python --offline --no-deps --no-build-isolation -e .
COPY data/processed/champion champion

FROM python:3.11.16-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home --uid 10001 serving
COPY --from=build /venv /venv
COPY --from=build /app /app
ENV PATH=/venv/bin:$PATH \
    HOME=/tmp \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    DO_NOT_TRACK=true
USER 10001
WORKDIR /tmp
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/ping', timeout=4)"]
CMD ["python", "-m", "attrition.registry.app", "--model", "/app/champion", "--host", "0.0.0.0"]
