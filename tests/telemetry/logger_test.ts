import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { createLogger, LOG_LEVELS, type LoggerOptions } from "../../src/telemetry/logger.ts";
import type { ExchangedEvent, TelemetryEventType } from "../../src/telemetry/telemetry.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { ALL, emitUnchecked, EXCHANGED } from "./events.ts";

const TIME = "2026-01-02T03:04:05.678Z";
const connection = "c1";
const { type: _, ...exchange } = EXCHANGED;

// Every type of event except `failed`: its level, and the pairs of the pretty format.
const EVENTS: readonly {
  readonly name: Exclude<TelemetryEventType, "failed">;
  readonly input: Readonly<Record<string, unknown>>;
  readonly expected: readonly [level: string, pairs: string];
}[] = [
  {
    name: "started",
    input: { url: "http://[::1]:80/" },
    expected: ["info", " url=http://[::1]:80/"],
  },
  {
    name: "draining",
    input: { connections: 2, graceMs: 10 },
    expected: ["info", " connections=2 graceMs=10"],
  },
  { name: "stopped", input: {}, expected: ["info", ""] },
  {
    name: "connected",
    input: { connection, origin: null },
    expected: ["info", " connection=c1 origin=null"],
  },
  {
    name: "disconnected",
    input: { connection, code: 1006 },
    expected: ["info", " connection=c1 code=1006"],
  },
  {
    name: "refused",
    input: { client: "::1", code: "" },
    expected: ["warn", ' client=::1 code=""'],
  },
  { name: "malformed", input: { connection }, expected: ["debug", " connection=c1"] },
  { name: "paused", input: { connection }, expected: ["debug", " connection=c1"] },
  {
    name: "decided",
    input: { host: "a.test", reason: "deny list" },
    expected: ["debug", ' host=a.test reason="deny list"'],
  },
  {
    name: "exchanged",
    input: { ...exchange, method: 'A"=\n' },
    expected: [
      "info",
      ' connection=c1 requestId=c1-1 exchange=1 id=1 method="A\\"=\\n" host=api.test decision=allow ' +
      "reason=public outcome=response status=200 requestBytes=10 responseBytes=100 waitMs=20 totalMs=30",
    ],
  },
];

/** Returns the lines of an event. */
function linesOf(
  type: TelemetryEventType,
  input: Readonly<Record<string, unknown>>,
  { level = "debug", format = "json" }: Partial<LoggerOptions> = {},
): string[] {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const telemetry = createLogger({
    level,
    format,
    write,
    clock: createFakeClock(Date.parse(TIME)),
  });
  emitUnchecked(telemetry, { type, ...input });
  return lines;
}

for (const { name, input, expected: [level, pairs] } of EVENTS) {
  Deno.test(`createLogger() writes ${name} as a line of JSON, with its level`, () => {
    const line = `{"time":"${TIME}","level":"${level}","event":"${name}",${
      JSON.stringify(input).slice(1)
    }`;
    assertEquals(linesOf(name, input), [line.replace(",}", "}")]);
  });

  Deno.test(`createLogger() writes ${name} as a pretty line`, () => {
    const line = `03:04:05.678 ${level.toUpperCase().padEnd(5)} ${name}${pairs}`;
    assertEquals(linesOf(name, input, { format: "pretty" }), [line]);
  });
}

// Texts that repeat and texts that do not, some with characters that JSON has to escape.
const text = fc.oneof(
  fc.constantFrom("GET", "api.test", 'a"b', "\\", "\ud800", "\u2028é"),
  fc.string({ unit: "binary", maxLength: 300 }),
);
const count = fc.maxSafeNat();
const durationMs = fc.oneof(
  fc.nat(1e7).map((micros) => micros / 1000),
  fc.constantFrom(0, -0, 0.0005, 1e-7, 2 ** 31, 2 ** 53, 1e21, -1.5, NaN, Infinity),
  fc.double(),
);
type Fields = Omit<ExchangedEvent, "type">;

const members = {
  connection: text,
  requestId: text,
  exchange: count,
  traceId: text,
  id: count,
  identity: text,
  method: text,
  upstream: text,
  host: text,
  decision: fc.constantFrom("allow", "deny", "none"),
  reason: text,
  outcome: fc.constantFrom("response", "error", "cancelled"),
  status: count,
  code: text,
  requestBytes: count,
  responseBytes: count,
  connectMs: durationMs,
  tlsMs: durationMs,
  waitMs: durationMs,
  totalMs: durationMs,
} satisfies { readonly [Name in keyof Fields]-?: fc.Arbitrary<Fields[Name]> };

const requiredKeys = [
  "connection",
  "requestId",
  "exchange",
  "method",
  "host",
  "decision",
  "outcome",
  "requestBytes",
  "responseBytes",
  "totalMs",
] as const;

/**
 * Returns whether the end of the connection's id is in the middle of a surrogate pair of the request id: the line then
 * escapes the pair, which JSON.stringify does not. The ids of the service are ASCII.
 */
function isSplit({ connection, requestId }: Fields): boolean {
  const around = requestId.slice(connection.length - 1, connection.length + 1);
  return requestId.startsWith(connection) && /^[\ud800-\udbff][\udc00-\udfff]$/.test(around);
}

Deno.test("createLogger() writes every field of an exchange, present or not, as JSON", () => {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const logger = createLogger({
    level: "info",
    format: "json",
    write,
    clock: createFakeClock(Date.parse(TIME)),
  });
  const events = fc.record(members, { requiredKeys: [...requiredKeys] }).chain((event) => {
    // In the service, most request ids begin with the id of their connection.
    const named = fc.string().map((end) => ({ ...event, requestId: `${event.connection}${end}` }));
    return fc.oneof(named, fc.constant(event));
  }).filter((event) => !isSplit(event));
  const start = `{"time":"${TIME}","level":"info","event":"exchanged"`;
  fc.assert(
    fc.property(events, (event) => {
      // An event may also have fields whose value is undefined.
      const ordered = Object.fromEntries(
        Object.keys(members).map((name) => [name, Reflect.get(event, name)]),
      );
      for (const each of [event, ordered]) {
        emitUnchecked(logger, { type: "exchanged", ...each });
        assertEquals(lines.pop(), `${start},${JSON.stringify(ordered).slice(1)}`);
      }
    }),
    { numRuns: 1500 },
  );
});

Deno.test("createLogger() writes each line with its own time and event", () => {
  const lines: string[] = [];
  const clock = createFakeClock(Date.parse(TIME));
  const logger = createLogger({
    level: "debug",
    format: "json",
    write: (line) => lines.push(line),
    clock,
  });
  logger.emit({ type: "paused", connection });
  logger.emit({ type: "malformed", connection, code: "bad_frame" });
  clock.advance(322);
  logger.emit({ type: "malformed", connection, code: "bad_frame" });
  logger.emit({ type: "stopped" });
  const starts = lines.map((line) => JSON.parse(line)).map((line) => [line.time, line.event]);
  const later = "2026-01-02T03:04:06.000Z";
  assertEquals(starts, [[TIME, "paused"], [TIME, "malformed"], [later, "malformed"], [
    later,
    "stopped",
  ]]);
});

Deno.test("createLogger() writes each exchange with its own time, even when the clock is set back", () => {
  const lines: string[] = [];
  const start = Date.parse(TIME);
  const times = [0, 1, 321, 322, 60_000, 59_999, -86_400_000].map((ms) => start + ms);
  const values = times.values();
  const logger = createLogger({
    level: "info",
    format: "json",
    write: (line) => lines.push(line),
    clock: { ...createFakeClock(), epochMs: () => values.next().value ?? NaN },
  });
  for (const _ of times) logger.emit(EXCHANGED);
  assertEquals(lines.map((line) => Date.parse(JSON.parse(line).time)), times);
});

const WRITTEN = [
  { name: "debug", expected: ["malformed", "connected", "refused", "failed"] },
  { name: "info", expected: ["connected", "refused", "failed"] },
  { name: "warn", expected: ["refused", "failed"] },
  { name: "error", expected: ["failed"] },
  { name: "off", expected: [] },
] as const;

for (const { name, expected } of WRITTEN) {
  Deno.test(`createLogger() writes events of the level ${name} and above`, () => {
    const events = ["malformed", "connected", "refused", "failed"] as const;
    const written = events.filter((event) => linesOf(event, {}, { level: name }).length > 0);
    assertEquals(written, [...expected]);
  });

  Deno.test(`createLogger() wants allowed hops only if it writes them, at ${name}`, () => {
    const { wantsAllowedHops } = createLogger({ level: name, format: "json" });
    assertEquals(wantsAllowedHops, linesOf("decided", {}, { level: name }).length > 0);
  });
}

Deno.test("LOG_LEVELS has the levels that are tested", () => {
  assertEquals(LOG_LEVELS, WRITTEN.map(({ name }) => name) as unknown as typeof LOG_LEVELS);
});

Deno.test("createLogger() writes no event of a silent type, and all others", () => {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const silent = new Set(["draining", "reloaded", "exchanged"] as const);
  const logger = createLogger({ level: "debug", format: "json", write, silent });
  for (const event of ALL) logger.emit(event);
  const written = lines.map((line) => JSON.parse(line).event);
  const expected = ALL.map(({ type }) => type).filter((type) =>
    type !== "draining" && type !== "reloaded" && type !== "exchanged"
  );
  assertEquals(written, expected);
});

Deno.test("createLogger() writes an error with its stack and all its causes", () => {
  const root = new TypeError("the root");
  const error = new Error("the top", { cause: new Error("the middle", { cause: root }) });
  const [line = ""] = linesOf("failed", { connection, error });
  const { level, event, connection: named, error: text } = JSON.parse(line);
  assertEquals([level, event, named], ["error", "failed", connection]);
  assertMatch(
    text,
    /^Error: the top\n.*\ncaused by Error: the middle\n.*\ncaused by TypeError: the root\n/s,
  );
  assertStringIncludes(text, import.meta.url);
});

Deno.test("createLogger() writes an error on one pretty line", () => {
  const lines = linesOf("failed", { error: new Error("the top") }, { format: "pretty" });
  assertEquals(lines.join().split("\n").length, 1);
  assertStringIncludes(lines.join(), '03:04:05.678 ERROR failed error="Error: the top\\n');
});

Deno.test("createLogger() writes thrown values that are no errors, and errors without a stack", () => {
  const bare = new Error("no stack", { cause: "a text" });
  delete bare.stack;
  const cases = [["text", "text"], [undefined, "undefined"], [{}, "[object Object]"], [
    Symbol("s"),
    "Symbol(s)",
  ], [bare, "Error: no stack\ncaused by a text"]];
  for (const [error, expected] of cases) {
    assertEquals(linesOf("failed", { error }).map((line) => JSON.parse(line).error), [expected]);
  }
});

Deno.test("createLogger() escapes control characters in pretty lines", () => {
  const origin = "\x1b[2J\x9b2J\x07\x7f\x85";
  const lines = linesOf("connected", { origin }, { format: "pretty" });
  const written = '"\\u001b[2J\\u009b2J\\u0007\\u007f\\u0085"';
  assertEquals(lines, [`03:04:05.678 INFO  connected origin=${written}`]);
});

Deno.test("createLogger() omits fields without a value from pretty lines", () => {
  const lines = linesOf("connected", { connection: undefined }, { format: "pretty" });
  assertEquals(lines, ["03:04:05.678 INFO  connected"]);
});

Deno.test("createLogger() does no work for events that are not written", () => {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  for (const type of ["connected", "malformed", "exchanged", "failed"] as const) {
    const unreadable = {
      type,
      get connection(): string {
        throw new Error("was read");
      },
      get error(): unknown {
        throw new Error("was read");
      },
    };
    const clock = {
      ...createFakeClock(),
      epochMs(): never {
        throw new Error("the time was read");
      },
    };
    const logger = createLogger({ level: "off", format: "json", write, clock });
    emitUnchecked(logger, unreadable);
  }
  assertEquals(lines, []);
});

Deno.test("createLogger() writes to standard output, with the current time, by default", async () => {
  const logger = new URL("../../src/telemetry/logger.ts", import.meta.url);
  const before = Date.now();
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { createLogger } from "${logger}";
       createLogger({ level: "info", format: "json" }).emit({ type: "stopped" });`,
    ],
    cwd: new URL("../../", import.meta.url),
  }).output();
  const [line = "", ...rest] = new TextDecoder().decode(stdout).split("\n");
  const { time, ...fields } = JSON.parse(line);
  assertEquals([fields, rest], [{ level: "info", event: "stopped" }, [""]]);
  assertEquals(Date.parse(time) >= before && Date.parse(time) <= Date.now(), true);
});
