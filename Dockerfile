# Dependencies first, apart from the sources: downloaded again only when one of these two files changes.
FROM denoland/deno:2.9.6 AS dependencies
WORKDIR /app
COPY deno.json deno.lock ./
RUN deno install

FROM denoland/deno:2.9.6
WORKDIR /app
ENV HOST=0.0.0.0 PORT=8000 DENO_NO_UPDATE_CHECK=1
EXPOSE 8000
COPY --from=dependencies --chown=deno:deno /deno-dir /deno-dir
COPY LICENSE deno.json deno.lock main.ts ./
COPY src src
USER deno
# Proves that a start needs no network, and compiles once for all starts.
RUN deno run --cached-only main.ts --version

# node:http, as fetch would ask the proxy that HTTP_PROXY names.
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s \
  CMD ["deno", "eval", "import { get } from 'node:http'; const { HOST, PORT } = process.env; get({ host: HOST, port: PORT, path: '/healthz' }, ({ statusCode }) => Deno.exit(statusCode === 200 ? 0 : 1));"]

# The task has the permissions, here as anywhere; it passes signals and the exit code on.
ENTRYPOINT ["deno", "task", "--quiet", "start"]
