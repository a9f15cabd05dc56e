/**
 * Named upstreams, as the operator writes them in JSON: parsed, checked and with their secrets in place.
 *
 * @module
 */
import * as z from "zod";
import { ConfigError } from "../config_error.ts";
import type { HeaderPairs } from "../protocol/mod.ts";
import { buildUpstreamUrl, isBelow } from "./path.ts";
import type { BreakerOptions, RetryOptions } from "./resilience.ts";
import { parseHeaders, type UpstreamSources } from "./secrets.ts";

export type { UpstreamSources };

/** An HTTP API that clients use by name. */
export interface UpstreamDefinition {
  readonly name: string;
  /** Without query and fragment. */
  readonly baseUrl: URL;
  /** Put into every request; names are lower-case. */
  readonly headers: HeaderPairs;
  /** Values never to be shown. */
  readonly secrets: readonly string[];
  /** The methods that may be used, upper-case; absent: those that may be used anywhere. */
  readonly methods?: readonly string[];
  /** Patterns of which the path below the base must match one; absent: any path. */
  readonly paths?: readonly URLPattern[];
  /** Who may use it; absent: everyone. */
  readonly identities?: readonly string[];
  readonly timeoutMs?: number;
  /** Exchanges at a time. */
  readonly maxInFlight?: number;
  readonly retry?: RetryOptions;
  readonly breaker?: BreakerOptions;
  /** A path below the base that answers when the upstream works: what closes an open breaker. */
  readonly health?: string;
}

// Deno's timers hold a signed 32-bit number of milliseconds.
const MAX_MS = 2_147_483_647;
const MAX_BACKOFF_MS = 2000;
const NAME = /^[a-z][a-z0-9-]{0,62}$/;
// A name stands before a path as a scheme does, and must not be read as one that has a meaning.
const SCHEMES: ReadonlySet<string> = new Set(
  "about blob data file ftp http https javascript jsr mailto node npm urn ws wss".split(" "),
);
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Z]+$/;
// Fetch refuses these (WHATWG Fetch, "forbidden method").
const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);
// Longer names, or such with other characters, are not quoted: a secret may have slipped into their place.
const QUOTABLE = /^[\w-]{1,63}$/;

const text = z.string(must("be a string"));

/** One upstream, its name and the meaning of its header fields aside. */
const upstreamSchema = z.strictObject({
  baseUrl: text.transform(orIssue(parseBaseUrl)),
  headers: z.unknown().exactOptional(),
  methods: list(text.transform(orIssue(parseMethod))).transform((methods) => [...new Set(methods)])
    .exactOptional(),
  paths: list(text.transform(orIssue(parsePattern))).exactOptional(),
  identities: list(text.min(1, "must not be empty")).exactOptional(),
  timeoutMs: whole(1, MAX_MS).exactOptional(),
  maxInFlight: whole(1, 100_000).exactOptional(),
  retry: z.strictObject({
    attempts: whole(2, 10),
    backoffMs: whole(1, MAX_MS).default(100),
    maxBackoffMs: whole(1, MAX_MS).exactOptional(),
  }, "must be an object").transform(orIssue(limitBackoff)).exactOptional(),
  breaker: z.strictObject({
    failures: whole(1, 1000),
    openMs: whole(100, MAX_MS).default(10_000),
  }, "must be an object").exactOptional(),
  health: text.transform(orIssue(parseHealth)).exactOptional(),
}, "must be an object, or a base URL");

/**
 * Gives the upstreams that a text defines.
 *
 * @param text The JSON if it begins with `{`, else the path of a file with it; blank: there are none.
 * @param sources Where files and environment variables come from.
 * @throws {ConfigError} Something is wrong; every problem is listed, and no value quoted.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseUpstreams } from "./definition.ts";
 *
 * const text = '{"api": {"baseUrl": "https://api.example.com", "headers": {"x-key": "${env:KEY}"}}}';
 * const sources = { env: () => "s3cret", readText: () => "" };
 * assertEquals(parseUpstreams(text, sources)[0]?.headers, [["x-key", "s3cret"]]);
 * ```
 */
export function parseUpstreams(
  text: string,
  sources: UpstreamSources,
): readonly UpstreamDefinition[] {
  if (text.trim() === "") return [];
  const parsed = Object.entries(parseJson(text.trim(), sources)).map(([name, value]) =>
    parseUpstream(name, typeof value === "string" ? { baseUrl: value } : value, sources)
  );
  const problems = parsed.flatMap((each) => each.problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return parsed.flatMap(({ definition }) => definition ?? []);
}

interface Parsed {
  /** Absent when it has problems; it may have some nevertheless. */
  readonly definition?: UpstreamDefinition;
  readonly problems: readonly string[];
}

function parseUpstream(name: string, value: unknown, sources: UpstreamSources): Parsed {
  const { data, error } = upstreamSchema.safeParse(value);
  const fields = isObject(value) ? value : {};
  const { headers, secrets, problems } = parseHeaders(
    "headers" in fields ? fields["headers"] : {},
    sources,
  );
  const issues = [
    ...describeName(name),
    ...error?.issues.flatMap(splitIssue) ?? [],
    ...problems.map(({ path, message }) => ({ path: ["headers", ...path], message })),
    ...("health" in fields && !("breaker" in fields)
      ? [{ path: ["health"], message: "needs a breaker beside it, which it is to close" }]
      : []),
  ];
  return {
    ...(data !== undefined && { definition: { ...data, name, headers, secrets } }),
    problems: issues.map(({ path, message }) =>
      `UPSTREAMS: ${quote(name, "an upstream")}${path.map(quoteStep).join("")} ${message}`
    ),
  };
}

function parseJson(text: string, sources: UpstreamSources): Readonly<Record<string, unknown>> {
  const json = text.startsWith("{") ? text : readFile(text, sources);
  let parsed: unknown;
  try {
    parsed = JSON.parse(json.replace(/^\ufeff/, ""));
  } catch (error) {
    // Only the end of the message is taken, and no cause: it may quote the text, and so a secret.
    const [place = ""] = / at position \d+ \(line \d+ column \d+\)$/.exec(String(error)) ?? [];
    throw new ConfigError([`UPSTREAMS: is not valid JSON${place}`]);
  }
  if (isObject(parsed)) return parsed;
  throw new ConfigError(["UPSTREAMS: must be a JSON object of upstreams by name"]);
}

function readFile(path: string, { readText }: UpstreamSources): string {
  try {
    return readText(path);
  } catch (error) {
    // JSON that is no object ends up here too, and is not quoted.
    const isPath = path.length <= 256 && !/["{}\n]/.test(path);
    const reason = error instanceof Error ? ` (${error.name})` : "";
    throw new ConfigError([
      isPath
        ? `UPSTREAMS: the file ${JSON.stringify(path)} cannot be read${reason}`
        : "UPSTREAMS: must be a JSON object, or the path of a file that holds one",
    ]);
  }
}

function parseBaseUrl(text: string): URL {
  const [, authority = "", path = ""] = /^https?:\/\/([^/?#]+)(.*)$/is.exec(text) ?? [];
  const url = authority === "" ? null : URL.parse(text);
  if (url === null || url.port === "0") {
    throw new TypeError("must be an absolute URL like https://api.example.com/v1");
  }
  if (authority.includes("@")) {
    throw new TypeError("must not hold a user or password; put them into headers");
  }
  if (/[?#]/.test(path)) throw new TypeError("must have neither a query nor a fragment");
  // The parsed path shows dot segments no more, and the text not what the parser makes of it.
  const isPlain = !/[\s\p{Cc}\\]|\/\/|%(?:2e|2f)|\/\.{1,2}(?:\/|$)/iu.test(authority + path);
  if (isPlain && isBelow(new URL("/", url), url)) return url;
  throw new TypeError("must have a plain path: no dot segments, double slashes or encoded slashes");
}

function parseMethod(text: string): string {
  const method = text.toUpperCase();
  if (TOKEN.test(method) && !FORBIDDEN_METHODS.has(method)) return method;
  throw new TypeError("must be a method that can be allowed, like GET");
}

function parsePattern(text: string): URLPattern {
  // The compiler would resolve dot segments, and then the pattern says something else.
  if (!text.startsWith("/") || /\/\.{1,2}(?:\/|$)/.test(text)) {
    throw new TypeError("must be the pattern of a path, like /repos/*");
  }
  try {
    return new URLPattern({ pathname: text });
  } catch (cause) {
    throw new TypeError("must be a pattern that URLPattern takes, like /repos/:owner/*", { cause });
  }
}

function parseHealth(text: string): string {
  try {
    buildUpstreamUrl(new URL("https://upstream.invalid/"), text);
    return text;
  } catch (cause) {
    throw new TypeError("must be a path below the base URL, like /health", { cause });
  }
}

function limitBackoff(
  { attempts, backoffMs, maxBackoffMs = Math.max(backoffMs, MAX_BACKOFF_MS) }:
    & Omit<RetryOptions, "maxBackoffMs">
    & Partial<RetryOptions>,
): RetryOptions {
  if (maxBackoffMs >= backoffMs) return { attempts, backoffMs, maxBackoffMs };
  throw new TypeError("must not have a backoffMs above maxBackoffMs");
}

/** What to say of a field that is missing, and of one that has the wrong form. */
function must(form: string): { readonly error: (issue: { readonly input?: unknown }) => string } {
  return { error: ({ input }) => input === undefined ? "is missing" : `must ${form}` };
}

function whole(min: number, max: number): z.ZodType<number> {
  return z.custom<number>(
    (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
    must(`be a whole number from ${min} to ${max}`),
  );
}

function list<Item extends z.ZodType>(item: Item): z.ZodType<readonly z.output<Item>[]> {
  return z.array(item, "must be a list").min(1, "must not be empty");
}

/** Makes an issue of what a parser throws. */
function orIssue<Input, Output>(
  parse: (input: Input) => Output,
): (input: Input, context: z.RefinementCtx<Input>) => Output {
  return (input, context) => {
    try {
      return parse(input);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    }
  };
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function describeName(name: string): readonly Issue[] {
  if (SCHEMES.has(name)) {
    return [{ path: [], message: "must not be named like a scheme that has a meaning" }];
  }
  const message = "must be named with small letters, digits and -, a letter first, at most 63";
  return NAME.test(name) ? [] : [{ path: [], message }];
}

function splitIssue({ path, message, ...issue }: z.core.$ZodIssue): readonly Issue[] {
  if (issue.code !== "unrecognized_keys") return [{ path, message }];
  return issue.keys.map((key) => ({ path: [...path, key], message: "is not a known field" }));
}

function quote(name: string, otherwise: string): string {
  return QUOTABLE.test(name) ? name : otherwise;
}

function quoteStep(step: PropertyKey): string {
  return typeof step === "number" ? `[${step}]` : `.${quote(String(step), "(an odd name)")}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
