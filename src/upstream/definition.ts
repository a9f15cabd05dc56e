/**
 * Definitions of named upstreams, which the operator writes in JSON: parsed, checked, and with their secrets.
 *
 * @module
 */
import { ConfigError } from "../config_error.ts";
import type { UpstreamRoute, UpstreamTls } from "../http/transport.ts";
import type { HeaderPairs } from "../protocol/mod.ts";
import type { BreakerOptions } from "./breaker.ts";
import { checkFields, type FieldProblem, type ParsedFields } from "./definition_fields.ts";
import type { RetryOptions } from "./retry.ts";
import { parseHeaders, type UpstreamSources } from "./secrets.ts";
import { parseTls } from "./tls.ts";

export type { UpstreamSources };

/** An HTTP API that clients use by name. */
export interface UpstreamDefinition {
  readonly name: string;
  /** Has neither query nor fragment. */
  readonly baseUrl: URL;
  /** Header fields that are added to every request. Names are in lower case. */
  readonly headers: HeaderPairs;
  /** How connections are made. Each definition has an object of its own. */
  readonly route: UpstreamRoute;
  /** Texts that must not be shown to clients or written to the log. */
  readonly secrets: readonly string[];
  /** The methods that may be used, in upper case. Absent: the methods that the service allows. */
  readonly methods?: readonly string[];
  /** Patterns, one of which the path below the base URL must match. Absent: all paths are allowed. */
  readonly paths?: readonly URLPattern[];
  /** The identities that may use the upstream. Absent: everyone may. */
  readonly identities?: readonly string[];
  readonly timeoutMs?: number;
  /** How many exchanges may run at a time. */
  readonly maxInFlight?: number;
  readonly retry?: RetryOptions;
  readonly breaker?: BreakerOptions;
  /** A path below the base URL. A response of 2xx closes an open breaker. */
  readonly health?: string;
}

const NAME = /^[a-z][a-z0-9-]{0,62}$/;
// A name stands before a path as a scheme does ("name:/path"), and must not be confused with a known scheme.
const SCHEMES: ReadonlySet<string> = new Set(
  "about blob data file ftp http https javascript jsr mailto node npm urn ws wss".split(" "),
);
// Other names are not quoted in problems: they may be secrets that were written in the wrong place.
const QUOTABLE = /^[\w-]{1,63}$/;

/**
 * Parses the definitions of upstreams.
 *
 * @param text JSON if it starts with `{`, else the path of a file that contains JSON. Blank: no upstreams.
 * @param sources Reads files and environment variables.
 * @throws {ConfigError} A definition is wrong. All problems are listed; none contains a value.
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
  /** May be present even if there are problems; then it must not be used. */
  readonly definition?: UpstreamDefinition;
  readonly problems: readonly string[];
}

function parseUpstream(name: string, value: unknown, sources: UpstreamSources): Parsed {
  const { parsed, problems: fieldProblems } = checkFields(value);
  const fields = isObject(value) ? value : {};
  const { headers, secrets, problems } = parseHeaders(
    "headers" in fields ? fields["headers"] : {},
    sources,
  );
  const { tls, problems: tlsProblems } = parseTls(
    "tls" in fields ? fields["tls"] : undefined,
    sources,
  );
  const all = [
    ...findNameProblems(name),
    ...fieldProblems,
    ...problems.map(({ path, message }) => ({ path: ["headers", ...path], message })),
    ...tlsProblems.map(({ path, message }) => ({ path: ["tls", ...path], message })),
    ...("health" in fields && !("breaker" in fields)
      ? [{ path: ["health"], message: "has no effect without breaker; add one" }]
      : []),
    ...(tls !== undefined && parsed?.baseUrl.protocol === "http:"
      ? [{ path: ["tls"], message: "has no effect with an http: base URL; use https:" }]
      : []),
  ];
  return {
    ...(parsed !== undefined &&
      { definition: toDefinition(parsed, { name, headers, secrets, tls }) }),
    problems: all.map(({ path, message }) =>
      `UPSTREAMS: ${quote(name, "an upstream")}${path.map(quoteStep).join("")} ${message}`
    ),
  };
}

function toDefinition(
  { client, tls: _, ...fields }: ParsedFields,
  { tls, ...others }: Pick<UpstreamDefinition, "name" | "headers" | "secrets"> & {
    readonly tls: UpstreamTls | undefined;
  },
): UpstreamDefinition {
  const route = { ...(client !== undefined && { client }), ...(tls !== undefined && { tls }) };
  return { ...fields, ...others, route };
}

function parseJson(text: string, sources: UpstreamSources): Readonly<Record<string, unknown>> {
  const json = text.startsWith("{") ? text : readFile(text, sources);
  let parsed: unknown;
  try {
    parsed = JSON.parse(json.replace(/^\ufeff/, ""));
  } catch (error) {
    // The rest of the message may quote the text, and so a secret; the error is no cause for the same reason.
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
    // JSON that is not an object is taken for a path too, but is not quoted.
    const isPath = path.length <= 256 && !/["{}\n]/.test(path);
    const reason = error instanceof Error ? ` (${error.name})` : "";
    throw new ConfigError([
      isPath
        ? `UPSTREAMS: the file ${JSON.stringify(path)} cannot be read${reason}`
        : "UPSTREAMS: must be a JSON object, or the path of a file that holds one",
    ]);
  }
}

function findNameProblems(name: string): readonly FieldProblem[] {
  if (SCHEMES.has(name)) return [{ path: [], message: "must not have the name of a URL scheme" }];
  const message =
    "must have a name of 1 to 63 lower-case letters, digits and -, with a letter first";
  return NAME.test(name) ? [] : [{ path: [], message }];
}

function quote(name: string, otherwise: string): string {
  return QUOTABLE.test(name) ? name : otherwise;
}

function quoteStep(step: PropertyKey): string {
  return typeof step === "number" ? `[${step}]` : `.${quote(String(step), "(an unusual name)")}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
