# The platform: server and worker from one image. `make images` builds it; docker-compose.yml says how it is started.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
RUN python -m venv /opt/nsml
WORKDIR /source
# What we depend on changes seldom and takes longest: a layer of its own, made before our code is looked at.
COPY pyproject.toml requirements.lock ./
COPY sdk/nsml/__init__.py sdk/nsml/
RUN mkdir -p server/nsml_server worker/nsml_worker client/nsmlctl \
    && touch README.md LICENSE \
    && /opt/nsml/bin/pip install --no-cache-dir -c requirements.lock '.[all,postgres]'
COPY README.md LICENSE ./
COPY server server
COPY worker worker
COPY client client
COPY sdk sdk
RUN /opt/nsml/bin/pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && /opt/nsml/bin/pip install --no-cache-dir --no-deps --force-reinstall /wheels/*.whl

FROM ${BASE}
# e2fsprogs and mount: a worker gives each box a disk of its own size.
RUN apt-get update \
    && apt-get install -y --no-install-recommends e2fsprogs mount \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /data nsml \
    && install -d -o nsml -g nsml -m 0700 /data
COPY --from=build /opt/nsml /opt/nsml
ENV PATH=/opt/nsml/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    NSML_DATA=/data NSML_HOST=0.0.0.0 NSML_PORT=8080
USER nsml
WORKDIR /data
EXPOSE 8080
# Without a proxy, whatever the engine's client gives its containers: it is our own port that is asked.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:8080/readyz', timeout=4)"]
CMD ["python", "-m", "nsml_server"]
