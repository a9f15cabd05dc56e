/**
 * The named upstreams: which identities may use each of them, for which requests, and with which header fields.
 *
 * @module
 */
import { type Clock, systemClock } from "../clock.ts";
import { type HeaderPairs, ProxyError, type ResponseHead } from "../protocol/mod.ts";
import type { UpstreamDefinition } from "./definition.ts";
import type { UpstreamRoute } from "../http/transport.ts";
import { buildUpstreamUrl, isBelow, pathBelow } from "./path.ts";
import { readingsOf } from "./path_escape.ts";
import { createRedactor } from "./redact.ts";
import { createResilience, type ProtectedSender, type Resilience } from "./resilience.ts";

/** A named upstream. */
export interface Upstream extends ProtectedSender {
  readonly name: string;
  /** The default and the maximum time of a request, in milliseconds. Absent: those of the service. */
  readonly timeoutMs?: number;
  /**
   * Returns the URL of a path below the base URL.
   *
   * @throws {ProxyError} `bad_request`: the text is not a path; `http_request_denied`: the path leads outside the
   * base URL.
   */
  resolve(path: string): URL;
  /** Decides on a hop. Returns `undefined` if the URL has another origin than the upstream. */
  decide(method: string, url: URL): UpstreamDecision | undefined;
  /** Returns the head of a response for the client: with the upstream's name for its URL, and without secrets. */
  conceal<Head extends ResponseHead>(head: Head): Head;
}

/** Whether a hop may be made, and the header fields to send with it. */
export type UpstreamDecision =
  | {
    readonly allow: true;
    readonly reason: string;
    readonly headers: HeaderPairs;
    readonly route: UpstreamRoute;
  }
  | { readonly allow: false; readonly reason: string; readonly message: string };

/** All named upstreams. */
export interface Registry extends Disposable {
  /** Returns the names of the upstreams that an identity may use, sorted. `undefined`: an anonymous client. */
  namesFor(identity: string | undefined): readonly string[];
  /**
   * Returns an upstream by its name.
   *
   * @throws {ProxyError} `unknown_upstream`, or `forbidden` if the identity may not use it.
   */
  find(name: string, identity: string | undefined): Upstream;
  /** Replaces all definitions. Exchanges in flight go on with the definitions that they started with. */
  load(definitions: readonly UpstreamDefinition[]): void;
}

/** Makes a GET request and returns the status of the response: for health checks. */
export type GetStatus = (
  url: URL,
  upstream: { readonly headers: HeaderPairs; readonly route: UpstreamRoute },
  signal: AbortSignal,
) => Promise<number>;

// How many characters of a name errors quote at most.
const MAX_QUOTED_LENGTH = 64;

interface Entry {
  readonly definition: UpstreamDefinition;
  readonly upstream: Upstream;
  readonly resilience: Resilience;
}

/** Creates a {@linkcode Registry}. */
export function createRegistry(
  definitions: readonly UpstreamDefinition[],
  { getStatus, clock = systemClock }: { readonly getStatus: GetStatus; readonly clock?: Clock },
): Registry {
  let entries: ReadonlyMap<string, Entry> = new Map();

  /** Checks the health of an upstream, by its current definition. */
  async function probe(name: string, signal: AbortSignal): Promise<boolean> {
    const { definition } = entries.get(name) ?? noEntry(name);
    const { baseUrl, health = "/" } = definition;
    const status = await getStatus(buildUpstreamUrl(baseUrl, health), definition, signal);
    return status >= 200 && status <= 299;
  }

  function createEntry(definition: UpstreamDefinition): Entry {
    const { name, health } = definition;
    const former = entries.get(name);
    // The state of breakers and limits is kept if only the credentials or rules have changed.
    const resilience = former !== undefined && isSameService(former.definition, definition)
      ? former.resilience
      : createResilience(definition, {
        clock,
        ...(health !== undefined && { probe: (signal) => probe(name, signal) }),
      });
    return { definition, upstream: createUpstream(definition, resilience), resilience };
  }

  function load(definitions: readonly UpstreamDefinition[]): void {
    const next = new Map(definitions.map((each) => [each.name, createEntry(each)]));
    const kept = new Set([...next.values()].map(({ resilience }) => resilience));
    for (const { resilience } of entries.values()) {
      if (!kept.has(resilience)) resilience[Symbol.dispose]();
    }
    entries = next;
  }

  load(definitions);
  return {
    namesFor: (identity) =>
      [...entries.values()].filter(({ definition }) => isFor(definition, identity))
        .map(({ upstream }) => upstream.name).toSorted(),
    find(name, identity): Upstream {
      const entry = entries.get(name) ?? noEntry(name);
      if (isFor(entry.definition, identity)) return entry.upstream;
      throw new ProxyError("forbidden", `The upstream ${quote(name)} is not for this identity`);
    },
    load,
    [Symbol.dispose]: () => load([]),
  };
}

function createUpstream(
  { name, baseUrl, headers, route, secrets, methods, paths, timeoutMs }: UpstreamDefinition,
  { send, within }: Resilience,
): Upstream {
  const redact = createRedactor(secrets);
  return {
    name,
    ...(timeoutMs !== undefined && { timeoutMs }),
    send,
    within,
    resolve: (path) => buildUpstreamUrl(baseUrl, path),
    decide(method, url): UpstreamDecision | undefined {
      if (url.origin !== baseUrl.origin) return undefined;
      if (methods?.includes(method) === false) {
        const message = `The upstream "${name}" takes ${methods.join(", ")} only`;
        return { allow: false, reason: "method", message };
      }
      if (!isBelow(baseUrl, url) || !isListed(pathBelow(baseUrl, url), paths)) {
        const message = `The path is not one that may be requested of the upstream "${name}"`;
        return { allow: false, reason: "path", message };
      }
      return { allow: true, reason: `upstream:${name}`, headers, route };
    },
    conceal<Head extends ResponseHead>(head: Head): Head {
      const url = toPublicUrl(head.url, { name, baseUrl });
      if (redact === undefined) return { ...head, url };
      return {
        ...head,
        url: redact(url),
        statusText: redact(head.statusText),
        headers: head.headers.map(([field, value]) => [field, redact(value)] as const),
      };
    },
  };
}

/** Returns whether the path matches a pattern in every reading: as it is, and decoded. */
function isListed(path: string, patterns: readonly URLPattern[] | undefined): boolean {
  return patterns === undefined ||
    readingsOf(path).every((pathname) => patterns.some((pattern) => pattern.test({ pathname })));
}

/** Replaces the base URL by the upstream's name: clients need not know where the upstream is. */
function toPublicUrl(
  href: string,
  { name, baseUrl }: { readonly name: string; readonly baseUrl: URL },
): string {
  const url = URL.parse(href);
  if (url === null || url.origin !== baseUrl.origin || !isBelow(baseUrl, url)) return href;
  return `${name}:${pathBelow(baseUrl, url)}${url.search}`;
}

function isFor({ identities }: UpstreamDefinition, identity: string | undefined): boolean {
  return identities === undefined || identity !== undefined && identities.includes(identity);
}

function isSameService(one: UpstreamDefinition, other: UpstreamDefinition): boolean {
  const service = ({ baseUrl, maxInFlight, retry, breaker, health }: UpstreamDefinition): string =>
    JSON.stringify([baseUrl, maxInFlight, retry, breaker, health]);
  return service(one) === service(other);
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, MAX_QUOTED_LENGTH));
}

function noEntry(name: string): never {
  throw new ProxyError(
    "unknown_upstream",
    `There is no upstream ${quote(name)}; "hello" lists those that may be used`,
  );
}
