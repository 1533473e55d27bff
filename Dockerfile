# The agent, the control plane with its console, and the rest of the command line in a container.
#
#   docker build -t fairlead .
#   docker run --network host -v fairlead-state:/var/lib/fairlead -v /etc/fairlead:/etc/fairlead:ro fairlead agent --config /etc/fairlead/agent.yaml
#
# The provider endpoint is on loopback without exception, so agent and Traefik share one network namespace. Either both have the host's
# (--network host; best for a proxy node, where a pool has hundreds of ports), or the agent joins Traefik's:
#
#   services:
#     traefik: { image: "traefik:v3.7", volumes: ["./traefik.yaml:/etc/traefik/traefik.yaml:ro"], ports: ["80:80", "443:443", "10000-10099:10000-10099"] }
#     fairlead: { image: fairlead, network_mode: "service:traefik", volumes: ["state:/var/lib/fairlead", "./routes.d:/etc/fairlead/routes.d:ro"] }
#
# In Kubernetes they are two containers of one pod. A Traefik container that is made anew takes its namespace along: then restart the
# agent, too.
#
# The control plane: fairlead control --config /etc/fairlead/control.yaml, with a volume for /var/lib/fairlead-control.
#
# Nothing is EXPOSEd: the agent listens on loopback alone, and where the control plane listens is for its settings to say. Secrets are mounted as files and named in the settings.

# The same version as in package.json.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json vite.config.ts ./
COPY scripts/copy-migrations.ts scripts/build-cluster.ts scripts/build-console.ts ./scripts/
COPY src ./src
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# Optional are the pinned Node, which the image has itself, and a way to talk to systemd, which is not here.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM ${NODE_IMAGE}
WORKDIR /opt/fairlead
COPY --from=dependencies /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY package.json LICENSE ./
COPY scripts/fairlead ./scripts/fairlead
RUN ln -s /opt/fairlead/scripts/fairlead /usr/local/bin/fairlead \
 && install -d -o node -g node -m 0700 /var/lib/fairlead /var/lib/fairlead-control
ENV NODE_ENV=production
USER node
# The last good configuration and the node's key: without a volume, a new container starts from nothing.
VOLUME ["/var/lib/fairlead"]
# Alive, not ready: a node that waits for its first state must not be restarted for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://${process.env.FAIRLEAD_ADMIN_LISTEN ?? '127.0.0.1:7481'}/livez`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["fairlead"]
CMD ["agent"]
