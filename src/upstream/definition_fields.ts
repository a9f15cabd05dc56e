/**
 * The fields of an upstream's definition: their forms and defaults, except those of its header fields and of TLS.
 *
 * @module
 */
import * as z from "zod";
import { isRequestableMethod } from "../http/grammar.ts";
import { buildUpstreamUrl, isBelow } from "./path.ts";
import type { RetryOptions } from "./retry.ts";

/** What is wrong with a field. */
export interface FieldProblem {
  /** The names and indexes that lead to the field. */
  readonly path: readonly PropertyKey[];
  /** Continues a sentence that starts with the field; never contains its value. */
  readonly message: string;
}

// Deno's timers hold a signed 32-bit number of milliseconds.
const MAX_MS = 2_147_483_647;
const MAX_BACKOFF_MS = 2000;

const text = z.string(must("be a string"));

const fieldsSchema = z.strictObject({
  baseUrl: text.transform(orIssue(parseBaseUrl)),
  headers: z.unknown().exactOptional(),
  tls: z.unknown().exactOptional(),
  client: z.literal("fetch", 'must be "fetch"').exactOptional(),
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

/** The fields of a definition, parsed. */
export type ParsedFields = z.output<typeof fieldsSchema>;

/** Checks the fields of a definition. Returns them parsed if there are no problems. */
export function checkFields(value: unknown): {
  readonly parsed?: ParsedFields;
  readonly problems: readonly FieldProblem[];
} {
  const { data, error } = fieldsSchema.safeParse(value);
  return {
    ...(data !== undefined && { parsed: data }),
    problems: error?.issues.flatMap(toProblems) ?? [],
  };
}

function toProblems({ path, message, ...issue }: z.core.$ZodIssue): readonly FieldProblem[] {
  if (issue.code !== "unrecognized_keys") return [{ path, message }];
  return issue.keys.map((key) => ({ path: [...path, key], message: "is not a known field" }));
}

function parseBaseUrl(text: string): URL {
  const [, authority = "", path = ""] = /^https?:\/\/([^/?#]+)(.*)$/is.exec(text) ?? [];
  const url = authority === "" ? null : URL.parse(text);
  if (url === null || url.port === "0") {
    throw new TypeError("must be an absolute URL like https://api.example.com/v1");
  }
  if (authority.includes("@")) {
    throw new TypeError("must not contain a user name or password; put them into headers");
  }
  if (/[?#]/.test(path)) throw new TypeError("must have neither a query nor a fragment");
  // The text and the parsed URL are checked: parsing removes dot segments, and normalises what may become one.
  const isPlain = !/[\s\p{Cc}\\]|\/\/|%(?:2e|2f)|\/\.{1,2}(?:\/|$)/iu.test(authority + path);
  if (isPlain && isBelow(new URL("/", url), url)) return url;
  throw new TypeError("must have a plain path: no dot segments, double slashes or encoded slashes");
}

function parseMethod(text: string): string {
  const method = text.toUpperCase();
  if (isRequestableMethod(method)) return method;
  throw new TypeError("must be a method that can be allowed, like GET");
}

function parsePattern(text: string): URLPattern {
  // URLPattern would resolve dot segments, which changes the meaning of the pattern.
  if (!text.startsWith("/") || /\/\.{1,2}(?:\/|$)/.test(text)) {
    throw new TypeError("must be the pattern of a path, like /repos/*");
  }
  try {
    return new URLPattern({ pathname: text });
  } catch (cause) {
    throw new TypeError("must be a valid pattern of URLPattern, like /repos/:owner/*", { cause });
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
  { attempts, backoffMs, maxBackoffMs = Math.max(backoffMs, MAX_BACKOFF_MS) }: {
    readonly attempts: number;
    readonly backoffMs: number;
    readonly maxBackoffMs?: number;
  },
): RetryOptions {
  if (maxBackoffMs >= backoffMs) return { attempts, backoffMs, maxBackoffMs };
  throw new TypeError("must not have a backoffMs above maxBackoffMs");
}

/** Returns the messages for a field that is missing, and for one that has another form. */
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

/** Wraps a parser for zod: an error that it throws becomes an issue with the same message. */
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
