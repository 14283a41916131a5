# One image for every role: `docker run IMAGE worker shop:app`, `… scheduler`, `… api`; without a word, all in one.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/streamq
COPY requirements.lock /build/
RUN /opt/streamq/bin/pip install --require-hashes -r /build/requirements.lock
COPY . /build
# Nothing of the tools stays: what runs does not install.
RUN /opt/streamq/bin/pip install --no-index --no-deps --no-build-isolation --compile /build \
    && /opt/streamq/bin/pip uninstall --yes setuptools pip

FROM python:3.13-slim
ENV PATH=/opt/streamq/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STREAMQ_DATA_DIR=/var/lib/streamq \
    STREAMQ_HOST=0.0.0.0 \
    STREAMQ_LOG=json
COPY --from=build /opt/streamq /opt/streamq
# A numeric user, so that Kubernetes can check that it is not root.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/streamq
USER 10001:10001
WORKDIR /var/lib/streamq
VOLUME /var/lib/streamq
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 CMD ["streamq", "probe", "ready"]
ENTRYPOINT ["streamq"]
CMD ["up"]
