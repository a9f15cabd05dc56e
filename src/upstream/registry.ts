/**
 * The upstreams that the operator has named: who may use each, what for, and with which header fields.
 *
 * @module
 */
import { type HeaderPairs, ProxyError, type ResponseHead } from "../protocol/mod.ts";
import type { UpstreamDefinition } from "./definition.ts";
import { buildUpstreamUrl, isBelow, pathBelow, readingsOf } from "./path.ts";
import { createRedactor } from "./redact.ts";
import { createResilience, type Resilience } from "./resilience.ts";

/** One upstream, as exchanges use it. */
export interface Upstream extends Pick<Resilience, "send" | "within"> {
  readonly name: string;
  /** The time that a request has, and the most that it may have; absent: as anywhere. */
  readonly timeoutMs?: number;
  /**
   * Gives the URL of a path below the base URL.
   *
   * @throws {ProxyError} `bad_request`: it is no path; `http_request_denied`: it would lead elsewhere.
   */
  resolve(path: string): URL;
  /** Decides on a hop; `undefined`: it leads to another origin. */
  decide(method: string, url: URL): UpstreamDecision | undefined;
  /** Gives a response's head as the client may see it: with the upstream's name, without its secrets. */
  conceal<Head extends ResponseHead>(head: Head): Head;
}

/** May a hop be made, and which header fields go along? */
export type UpstreamDecision =
  | { readonly allow: true; readonly reason: string; readonly headers: HeaderPairs }
  | { readonly allow: false; readonly reason: string; readonly message: string };

/** The named upstreams. */
export interface Registry extends Disposable {
  /** The names that an identity may use, sorted; `undefined`: nobody was authenticated. */
  namesFor(identity: string | undefined): readonly string[];
  /** @throws {ProxyError} `unknown_upstream`, `forbidden` */
  find(name: string, identity: string | undefined): Upstream;
  /** Puts other definitions in place; exchanges in flight end with the ones they began with. */
  load(definitions: readonly UpstreamDefinition[]): void;
}

/** What a registry works with. */
export interface RegistryDeps {
  /** Makes a GET request and gives the status of the response. */
  readonly getStatus: (url: URL, headers: HeaderPairs, signal: AbortSignal) => Promise<number>;
}

interface Entry {
  readonly definition: UpstreamDefinition;
  readonly upstream: Upstream;
  readonly resilience: Resilience;
}

/** Creates a {@linkcode Registry}. */
export function createRegistry(
  definitions: readonly UpstreamDefinition[],
  { getStatus }: RegistryDeps,
): Registry {
  let entries: ReadonlyMap<string, Entry> = new Map();

  /** Asks an upstream, as it is defined by now, for its health. */
  async function probe(name: string, signal: AbortSignal): Promise<boolean> {
    const { definition: { baseUrl, headers, health = "/" } } = entries.get(name) ?? noEntry(name);
    const status = await getStatus(buildUpstreamUrl(baseUrl, health), headers, signal);
    return status >= 200 && status <= 299;
  }

  function createEntry(definition: UpstreamDefinition): Entry {
    const { name, health } = definition;
    const former = entries.get(name);
    // What is known of an upstream's health outlives new credentials.
    const resilience = former !== undefined && isSameService(former.definition, definition)
      ? former.resilience
      : createResilience(
        definition,
        health === undefined ? {} : { probe: (signal) => probe(name, signal) },
      );
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
  { name, baseUrl, headers, secrets, methods, paths, timeoutMs }: UpstreamDefinition,
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
      return { allow: true, reason: `upstream:${name}`, headers };
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

/** Whichever way a server reads the path, as it stands or decoded, a pattern has to match it. */
function isListed(path: string, patterns: readonly URLPattern[] | undefined): boolean {
  return patterns === undefined ||
    [path, ...readingsOf(path)].every((pathname) =>
      patterns.some((pattern) => pattern.test({ pathname }))
    );
}

/** Where an upstream is, is the operator's business. */
function toPublicUrl(
  href: string,
  { name, baseUrl }: Pick<UpstreamDefinition, "name" | "baseUrl">,
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

// An error quotes at most so much of a name.
const MAX_QUOTED_LENGTH = 64;

function quote(name: string): string {
  return JSON.stringify(name.slice(0, MAX_QUOTED_LENGTH));
}

function noEntry(name: string): never {
  throw new ProxyError(
    "unknown_upstream",
    `There is no upstream ${quote(name)}; "hello" lists those that may be used`,
  );
}
