# The assets and the environment are built in one stage; the other runs them as an ordinary user.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
COPY requirements.lock .
RUN /venv/bin/pip install --require-hashes -r requirements.lock
COPY . .
# Settings want a key and addresses; none of these is used or kept.
ENV DATABASE_URL=postgres://build@localhost/build REDIS_URL=redis://localhost/0 STATIC_ROOT=/app/static_root
RUN export SECRET_KEY=$(/venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(48))') \
    && /venv/bin/python manage.py build_assets \
    && /venv/bin/python manage.py collectstatic --no-input \
    && rm -rf node_modules

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /app alliance \
    && install -d -o alliance /var/lib/alliance/media /var/lib/alliance/archive
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 STATIC_ROOT=/app/static_root \
    MEDIA_ROOT=/var/lib/alliance/media ALLIANCE_HOME=/var/lib/alliance
RUN chown alliance /var/lib/alliance
USER alliance
EXPOSE 8000
CMD ["gunicorn", "--config", "gunicorn.conf.py", "--bind", "0.0.0.0:8000"]
