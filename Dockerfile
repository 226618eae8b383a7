# One image for every process; docker-compose.yml says which command each runs.

FROM python:3.11-slim-bookworm AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/holdfast
COPY requirements/runtime.txt /tmp/runtime.txt
RUN /opt/holdfast/bin/pip install --require-hashes -r /tmp/runtime.txt


FROM python:3.11-slim-bookworm
ENV PATH=/opt/holdfast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings \
    STATIC_MANIFEST=true

RUN groupadd --system --gid 10001 holdfast \
    && useradd --system --uid 10001 --gid holdfast --home-dir /srv/holdfast --shell /usr/sbin/nologin holdfast \
    && install -d -o holdfast -g holdfast /srv/holdfast /var/lib/holdfast/closes /var/lib/holdfast/sandbox

COPY --from=packages /opt/holdfast /opt/holdfast
WORKDIR /srv/holdfast
COPY . .

# Static files are named by their content; the settings need values here, and nothing is connected to.
RUN SECRET_KEY="only for this one command, which signs nothing" \
    SECRETS_KEYS=b25seS1mb3ItdGhpcy1vbmUtY29tbWFuZC1rZXktMzI \
    DATABASE_URL=postgresql://nobody@127.0.0.1/nothing \
    REDIS_URL=redis://127.0.0.1:1/0 \
    python manage.py collectstatic --no-input --verbosity 0

USER holdfast
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "config.probe", "http://127.0.0.1:8000/readyz"]
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "8", "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "10", \
     "--log-level", "warning", "config.wsgi:application"]
