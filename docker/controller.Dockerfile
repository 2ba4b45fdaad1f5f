# The controller: an interpreter, its libraries and stratlab; no zipline and no Docker client.
# Built by docker/controller-image.sh, without network, from a context that script assembles.
# Whoever runs it with the engine's socket gives it root on the host: see docs/threat-model.md.
ARG BASE=stratlab-base:bookworm

FROM ${BASE} AS build
# The host's pip, for this stage only.
COPY pip /build/pip
COPY wheels /build/wheels
RUN python3.11 -m venv --without-pip /opt/stratlab \
    && PYTHONPATH=/build /opt/stratlab/bin/python -m pip install --quiet --no-index --no-deps \
       --no-compile --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
       /build/wheels/*.whl
# In a layer of its own: it changes with every commit, the libraries do not.
COPY stratlab /build/stratlab
RUN PYTHONPATH=/build /opt/stratlab/bin/python -m pip install --quiet --no-index --no-deps \
       --no-compile --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
       /build/stratlab/*.whl \
    && /opt/stratlab/bin/python -P -m compileall -q --invalidation-mode unchecked-hash /opt/stratlab

FROM ${BASE}
COPY --from=build /opt/stratlab /opt/stratlab
ENV PATH=/opt/stratlab/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    STRATLAB_HOME=/var/lib/stratlab
# compose.yaml and `docker run --user` may choose another id: that of the volume's owner.
USER 1000:1000
WORKDIR /var/lib/stratlab
VOLUME /var/lib/stratlab
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
    CMD ["stratlab", "health"]
ENTRYPOINT ["stratlab"]
CMD ["serve"]
