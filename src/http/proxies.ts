/**
 * Decides which proxy makes a request, by the variables that curl and Deno's `fetch` know: `HTTP_PROXY`, `HTTPS_PROXY`,
 * `ALL_PROXY` and `NO_PROXY`. What `NO_PROXY` means must be what it means to `fetch`, which looks at the variable itself
 * even if it is told which proxy to use.
 *
 * @module
 */
import ipaddr from "ipaddr.js";
import { withoutBrackets } from "./grammar.ts";

/** A proxy to make requests through. */
export interface ProxyServer {
  /** `http:`, `https:` or `socks5:`, without a user. */
  readonly url: string;
  readonly basicAuth: Deno.BasicAuth | undefined;
}

/** The proxies by scheme; `undefined` where there is none. */
export interface ProxyOptions {
  readonly http: ProxyServer | undefined;
  readonly https: ProxyServer | undefined;
  /** For requests whose scheme has no proxy of its own. */
  readonly all: ProxyServer | undefined;
  /** The hosts that are requested without a proxy, in the form of `NO_PROXY`. */
  readonly except: string;
}

/** Returns the proxy that makes a request to a URL; `undefined` when none does. */
export type FindProxy = (url: URL) => ProxyServer | undefined;

type Environment = Readonly<Record<string, string>>;

const SCHEMES: ReadonlySet<string> = new Set(["http:", "https:", "socks5:", "socks5h:"]);

/** The settings that name proxies. Each may also be written in lower case. */
export const PROXY_SETTINGS = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] as const;

/**
 * Returns the proxy settings of an environment by their upper-case names. Upper case takes precedence, except that a
 * proxy which is empty is not set. `HTTP_PROXY` does not apply where `REQUEST_METHOD` is set: to a CGI program it is a
 * field of the request.
 */
export function readProxySettings(env: Environment): Environment {
  const settings: Record<string, string> = {};
  for (const name of PROXY_SETTINGS) {
    const [upper, lower] = [env[name], env[name.toLowerCase()]];
    const value = name === "NO_PROXY" ? upper ?? lower : upper || lower;
    if (value !== undefined) settings[name] = value;
  }
  if (Object.hasOwn(env, "REQUEST_METHOD")) settings["HTTP_PROXY"] = "";
  return settings;
}

/**
 * Parses the URL of a proxy; without a scheme it is `http:`. The user and the password may be percent-encoded. Returns
 * `undefined` for the empty text.
 *
 * @throws {TypeError} It is not such a URL. The message does not repeat it, since it may contain a password.
 */
export function parseProxy(text: string): ProxyServer | undefined {
  if (text === "") return undefined;
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url === null || !SCHEMES.has(url.protocol) || url.hostname === "") {
    throw new TypeError("must be the URL of a proxy: http://, https:// or socks5:// and a host");
  }
  const { protocol, host, username, password } = url;
  return {
    url: `${protocol}//${host}`,
    basicAuth: username === "" && password === ""
      ? undefined
      : { username: decode(username), password: decode(password) },
  };
}

/** Creates a {@linkcode FindProxy}. Returns `undefined` when there are no proxies. */
export function createFindProxy(
  { http, https, all, except }: ProxyOptions,
): FindProxy | undefined {
  const [forHttp, forHttps] = [http ?? all, https ?? all];
  if (forHttp === undefined && forHttps === undefined) return undefined;
  const isExcepted = parseExceptions(except);
  return ({ protocol, hostname }) => {
    const proxy = protocol === "https:" ? forHttps : forHttp;
    return proxy === undefined || isExcepted(hostname) ? undefined : proxy;
  };
}

/**
 * Parses `NO_PROXY`: a list, separated by commas, of addresses, ranges of addresses (`10.0.0.0/8`), names, each of which
 * stands for its subdomains too, with or without a leading dot, and `*` for all names. Names are compared as they are
 * written, without ports.
 */
function parseExceptions(list: string): (hostname: string) => boolean {
  if (list === "") return () => false;
  const names: string[] = [];
  const ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  for (const part of list.split(",").map((text) => text.trim())) {
    const range = parseRange(part);
    if (range === undefined) names.push(part);
    else ranges.push(range);
  }
  return (hostname) => {
    const address = parseAddress(withoutBrackets(hostname));
    return address === undefined
      ? names.some((name) => isWithin(hostname, name))
      : ranges.some(([network, bits]) =>
        network.kind() === address.kind() && address.match(network, bits)
      );
  };
}

function isWithin(hostname: string, name: string): boolean {
  if (name === "*" || name === hostname || name === `.${hostname}`) return true;
  if (!hostname.endsWith(name)) return false;
  return name.startsWith(".") || hostname[hostname.length - name.length - 1] === ".";
}

function parseRange(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] | undefined {
  const [, host = "", bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(host);
  if (address === undefined) return undefined;
  const maxBits = address.kind() === "ipv4" ? 32 : 128;
  if (bits === undefined) return [address, maxBits];
  return Number(bits) <= maxBits ? [address, Number(bits)] : undefined;
}

function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const isAddress = ipaddr.IPv4.isValidFourPartDecimal(text) ||
    (text.includes(":") && ipaddr.IPv6.isValid(text));
  return isAddress ? ipaddr.parse(text) : undefined;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a percent sign that encodes nothing
  }
}
