# The image for AWS Lambda and for local tries, for docker, podman and buildah; on Debian scripts/image makes the same without
# any of them. BUILDX_NO_DEFAULT_ATTESTATIONS=1 keeps docker from pushing an index, which Lambda does not take:
#   docker build --platform linux/arm64 --build-arg PIPELINES=pipelines \
#       --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" -t lambda-pipeline .
#   docker run -p 9080:8080 -v ~/.aws:/root/.aws:ro -e AWS_PROFILE=… -e OPENWEATHER_API_KEY=… lambda-pipeline
ARG DEBIAN=debian:bookworm-slim

# Builds on this machine's processor for the one asked for, so that nothing is emulated.
FROM --platform=$BUILDPLATFORM ${DEBIAN} AS builder
ARG TARGETARCH
WORKDIR /src
COPY scripts scripts
COPY cmake/cross.cmake cmake/
RUN scripts/deps --image --arch "${TARGETARCH:-$(dpkg --print-architecture)}"
COPY . .
ARG PIPELINES=examples/weather
# Times in the image, in seconds since 1970: the commit's, which .git could tell and is not here.
ARG SOURCE_DATE_EPOCH
RUN scripts/image --arch "${TARGETARCH:-$(dpkg --print-architecture)}" --pipelines "$PIPELINES" --root /image

FROM scratch
COPY --from=builder /image/base/ /
COPY --from=builder /image/program/ /
COPY --from=builder /image/pipelines/ /
ENV HOME=/root
WORKDIR /var/task
# The first account of most people's Linux, so that a mounted ~/.aws can be read. Lambda uses an account of its own.
USER 1000:1000
EXPOSE 8080
ENTRYPOINT ["/lambda-pipeline", "lambda", "--host", "0.0.0.0"]
CMD ["weather"]
