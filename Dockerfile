# docker build --tag fairweight . && docker run --rm --volume "$PWD/results:/fairweight/results" fairweight
FROM python:3.11-slim-bookworm

# npm: where the data of the default study are if their own sites do not answer
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make npm \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1000 user
WORKDIR /fairweight
RUN chown 1000:1000 /fairweight
USER 1000:1000

COPY --chown=1000:1000 . .
RUN make setup

VOLUME /fairweight/results
CMD ["make", "study"]
