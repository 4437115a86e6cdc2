# One image for gateway and worker. Not built where it was written: no Docker there.
FROM python:3.11-slim
WORKDIR /app
COPY requirements.lock pyproject.toml README.md ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e .
# Owned by the user below, as will be the volume that is mounted there.
RUN mkdir -p /var/lib/callspine/outbox && chown nobody /var/lib/callspine/outbox
ENV CALLSPINE_OUTBOX_DIR=/var/lib/callspine/outbox
USER nobody
CMD ["callspine", "gateway"]
