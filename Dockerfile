# One image for the three services and the chart's test. Which one a container is, is its command:
#   node --enable-source-maps --import @roomcast/runtime/instrument [--max-semi-space-size=4] services/{gateway,broker,presence}/dist/main.js
# Everything that is installed comes from package-lock.json.

# What every stage installs from. Only a change of dependencies reaches it.
FROM node:24-bookworm-slim AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY services/protocol/package.json services/protocol/
COPY services/runtime/package.json services/runtime/
COPY services/roomlog/package.json services/roomlog/
COPY services/broker/package.json services/broker/
COPY services/presence/package.json services/presence/
COPY services/gateway/package.json services/gateway/

FROM manifests AS build
RUN npm ci --ignore-scripts
COPY tsconfig.base.json tsconfig.json ./
COPY services services
# What runs: compiled code, and the files that it reads. Their types stay here.
RUN node_modules/.bin/tsc -b \
    && find services -path '*/dist/*' \( -name '*.d.ts' -o -name '*.d.ts.map' \) -delete \
    && mkdir /out \
    && cp -r --parents services/*/dist services/*/lua services/*/public /out

# The optional packages are the Node of checkouts and native builds of development tools: the services need none of them.
# Types and the source maps of packages are never loaded here.
FROM manifests AS dependencies
RUN npm ci --omit=dev --omit=optional --ignore-scripts \
    && npm cache clean --force \
    && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.map' \) \
       ! -path '*/client-dist/*' -delete

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY LICENSE package.json ./
# Owned by root: the process can not change its own code. Workspaces are links from node_modules into services.
COPY --from=dependencies /app/node_modules node_modules
COPY --from=dependencies /app/services services
COPY --from=build /out ./
# By number, so that Kubernetes can tell that it is not root.
USER 1000:1000
EXPOSE 8080 8070 8090 9464
# Node is process 1 and gets the signals itself. By itself the image runs a gateway.
ENTRYPOINT ["node", "--enable-source-maps", "--import", "@roomcast/runtime/instrument"]
# A small young generation: half of what an idle connection takes, see docs/performance.md.
CMD ["--max-semi-space-size=4", "services/gateway/dist/main.js"]

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="roomcast" \
      org.opencontainers.image.description="Multi-room real-time chat for Kubernetes that speaks Socket.IO: gateway, broker and presence" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
