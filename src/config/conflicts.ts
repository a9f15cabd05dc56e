/**
 * Conflicts between settings, each of which is right by itself.
 *
 * @module
 */
import { isLoopbackHost } from "../auth/origin.ts";
import { defaultAlgorithms, type KeyKind, parseAlgorithms, parseSecret } from "../auth/jwt.ts";
import { toMessage } from "./forms.ts";
import type { Config } from "./settings.ts";

/**
 * Returns what is wrong between settings: one line for each conflict, which starts with the name of a setting.
 *
 * @param isDeployed Whether something other than `HOST` decides who can connect, as on Deno Deploy.
 */
export function findConflicts(config: Config, isDeployed: boolean): readonly string[] {
  return [
    ...findServingConflicts(config, isDeployed),
    ...findProxyConflicts(config),
    ...findJwtConflicts(config),
  ];
}

/** Reports whether clients need a credential. */
export function hasAuthentication({ AUTH_TOKENS, JWT_JWKS_URL, JWT_SECRET }: Config): boolean {
  return AUTH_TOKENS.length > 0 || JWT_JWKS_URL !== undefined || JWT_SECRET !== "";
}

function findServingConflicts(config: Config, isDeployed: boolean): readonly string[] {
  const isAuthenticating = hasAuthentication(config);
  const isExposed = isDeployed || !isLoopbackHost(config.HOST);
  const conflicts: string[] = [];
  if (isDeployed && config.WORKERS !== 1) {
    conflicts.push("WORKERS: must be 1 on Deno Deploy, and where DENO_SERVE_ADDRESS is set");
  }
  if (config.REQUEST_TIMEOUT_MS > config.MAX_TIMEOUT_MS) {
    conflicts.push("REQUEST_TIMEOUT_MS: must not be above MAX_TIMEOUT_MS; set both");
  }
  if (isExposed && !isAuthenticating && config.AUTH !== "none") {
    conflicts.push(
      "AUTH: everyone who can reach this service could use it; set AUTH_TOKENS, JWT_JWKS_URL or " +
        "JWT_SECRET, or AUTH=none to allow that",
    );
  }
  if (isAuthenticating && config.AUTH === "none") {
    conflicts.push(
      "AUTH: none cannot be combined with AUTH_TOKENS, JWT_JWKS_URL or JWT_SECRET; remove one",
    );
  }
  if (config.LIMIT_REQUEST_BURST > 0 && config.LIMIT_REQUESTS_PER_SECOND === 0) {
    conflicts.push(
      "LIMIT_REQUEST_BURST: has no effect without LIMIT_REQUESTS_PER_SECOND; set both",
    );
  }
  return conflicts;
}

/** Deno 2.9.6 sends the password of an `http:` proxy to `https:` destinations too, and that of an `https:` proxy to no `http:` one. */
function findProxyConflicts({ HTTP_PROXY, HTTPS_PROXY, ALL_PROXY }: Config): readonly string[] {
  const [forHttp, forHttps] = [HTTP_PROXY ?? ALL_PROXY, HTTPS_PROXY ?? ALL_PROXY];
  const conflicts: string[] = [];
  if (forHttps?.basicAuth !== undefined && forHttps.url.startsWith("http:")) {
    conflicts.push(
      `${
        HTTPS_PROXY === undefined ? "ALL_PROXY" : "HTTPS_PROXY"
      }: Deno would send the password of an http:// ` +
        "proxy to every https: destination; use an https:// or socks5:// proxy, or one without a password",
    );
  }
  if (forHttp?.basicAuth !== undefined && forHttp.url.startsWith("https:")) {
    conflicts.push(
      `${
        HTTP_PROXY === undefined ? "ALL_PROXY" : "HTTP_PROXY"
      }: Deno would not send the password of an https:// ` +
        "proxy with requests to http: URLs; use an http:// or socks5:// proxy, or one without a password",
    );
  }
  return conflicts;
}

function findJwtConflicts(config: Config): readonly string[] {
  const { JWT_JWKS_URL, JWT_SECRET, JWT_ISSUER, JWT_AUDIENCE, JWT_ALGORITHMS } = config;
  if (JWT_JWKS_URL !== undefined && JWT_SECRET !== "") {
    return ["JWT_SECRET: cannot be combined with JWT_JWKS_URL; remove one"];
  }
  if (JWT_JWKS_URL === undefined && JWT_SECRET === "") {
    return Object.entries({ JWT_ISSUER, JWT_AUDIENCE, JWT_ALGORITHMS })
      .filter(([, value]) => value.length > 0)
      .map(([name]) => `${name}: has no effect without JWT_JWKS_URL or JWT_SECRET`);
  }
  const kind: KeyKind = JWT_SECRET === "" ? "jwks" : "secret";
  const algorithms = JWT_ALGORITHMS.length > 0 ? JWT_ALGORITHMS : defaultAlgorithms(kind);
  try {
    parseAlgorithms(kind, algorithms);
  } catch (error) {
    return [`JWT_ALGORITHMS: ${toMessage(error)}`];
  }
  try {
    if (kind === "secret") parseSecret(JWT_SECRET, algorithms);
  } catch (error) {
    return [`JWT_SECRET: ${toMessage(error)}`];
  }
  return [];
}
