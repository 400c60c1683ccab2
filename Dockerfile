# Renum's image: API, worker and migrations are one program.
#
#   docker build -t renum .                       production
#   docker build -t renum-sandbox --target sandbox .    with the stand-ins for Suna and Supabase
#
# `python -m scripts.image_steps DIR` performs these very steps without Docker.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

# ---- Dependencies, from locked and hashed lists of ready-made wheels ---------------------------
FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore \
    UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /build
COPY requirements/uv.txt requirements/
RUN python -m venv /build/tools \
    && /build/tools/bin/python -m pip install --quiet --require-hashes -r requirements/uv.txt
COPY requirements/build.txt requirements/api.txt requirements/
# Relocatable: the tree may be copied anywhere, also without an image (docs/operations/systemd.md).
RUN /build/tools/bin/uv venv --quiet --relocatable --python python /opt/renum \
    && /build/tools/bin/uv pip install --quiet --python /opt/renum/bin/python \
        --only-binary :all: --require-hashes -r requirements/api.txt
COPY apps/api/ apps/api/
RUN /build/tools/bin/uv build --quiet --wheel --require-hashes --python python \
        --build-constraints requirements/build.txt --out-dir /build/wheels apps/api \
    && /build/tools/bin/uv pip install --quiet --python /opt/renum/bin/python --no-deps \
        /build/wheels/renum_api-*.whl

FROM build AS build-sandbox
COPY requirements/sandbox.txt requirements/
RUN /build/tools/bin/uv pip install --quiet --python /opt/renum/bin/python \
        --only-binary :all: --require-hashes -r requirements/sandbox.txt
COPY apps/sandbox/ apps/sandbox/
RUN /build/tools/bin/uv build --quiet --wheel --require-hashes --python python \
        --build-constraints requirements/build.txt --out-dir /build/wheels apps/sandbox \
    && /build/tools/bin/uv pip install --quiet --python /opt/renum/bin/python --no-deps \
        /build/wheels/renum_sandbox-*.whl

# ---- What both images are: nothing is written, nobody is root ----------------------------------
FROM ${PYTHON_IMAGE} AS runtime
ENV PATH=/opt/renum/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
# A number, so that Kubernetes can prove that it is not root; it needs no entry in /etc/passwd.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# API and worker alike: in a container, each listens on 8000.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "app.probe", "http://127.0.0.1:8000"]
ENTRYPOINT ["renum-api"]
CMD ["serve", "--host", "0.0.0.0"]

FROM runtime AS sandbox
ENV APP_ENV=development DATA_DIR=/tmp/renum
COPY --from=build-sandbox /opt/renum /opt/renum

FROM runtime AS api
COPY --from=build /opt/renum /opt/renum
