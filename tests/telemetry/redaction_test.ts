import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { createLogger } from "../../src/telemetry/logger.ts";
import { redactFields, redactTokens } from "../../src/telemetry/redaction.ts";
import { ALL, emitUnchecked, EXCHANGED } from "./events.ts";

const JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

const TEXTS = [
  { name: "a bearer token", input: "Bearer abc.DEF-1~+/=", expected: "Bearer [redacted]" },
  { name: "in any case", input: "bEARER  abc", expected: "bEARER  [redacted]" },
  {
    name: "within a text",
    input: 'sent "authorization: Bearer abc", then failed',
    expected: 'sent "authorization: Bearer [redacted]", then failed',
  },
  { name: "as a subprotocol", input: "v1, bearer.YWJj", expected: "v1, bearer.[redacted]" },
  { name: "two", input: "Bearer a, Bearer b", expected: "Bearer [redacted], Bearer [redacted]" },
  { name: "a JSON Web Token", input: JWT, expected: "[redacted]" },
  { name: "in a query", input: `https://a/?t=${JWT}&b=1`, expected: "https://a/?t=[redacted]&b=1" },
  { name: "after a name", input: `token.${JWT}`, expected: "token.[redacted]" },
  { name: "without a signature", input: "eyJhbGciOiJub25lIn0.e30.", expected: "[redacted]" },
  { name: "encrypted, of five parts", input: "eyJh.a.b.c.d e", expected: "[redacted] e" },
  { name: "over two lines", input: `a\n${JWT}\nb`, expected: "a\n[redacted]\nb" },
  { name: "nothing in a short text", input: "eyJ.a.b", expected: "eyJ.a.b" },
  {
    name: "nothing in a host",
    input: "eyjafjalla.example.com",
    expected: "eyjafjalla.example.com",
  },
  { name: "nothing without dots", input: "eyJhbGciOiJIUzI1NiJ9", expected: "eyJhbGciOiJIUzI1NiJ9" },
  { name: "nothing in other words", input: "the bearer: none", expected: "the bearer: none" },
] as const;

for (const { name, input, expected } of TEXTS) {
  Deno.test(`redactTokens() removes ${name}`, () => assertEquals(redactTokens(input), expected));
}

Deno.test("redactTokens() takes time in proportion to the length of any text", () => {
  const length = 400_000;
  for (const part of ["eyJ", "eyJ.", "bearer ", "bearer.", "Bearer", "eyJ-", "a.", " "]) {
    const startedAt = performance.now();
    redactTokens(`bearer eyJ${part.repeat(length / part.length)}!`);
    const ms = performance.now() - startedAt;
    assert(ms < 1000, `${part}: ${ms} ms`);
  }
});

Deno.test("redactFields() redacts every text, however deep, and does not change its argument", () => {
  const fields = {
    text: "a hunter2 b",
    list: ["hunter2", 1, ["hunter2"]],
    object: { deep: { text: "hunter2", none: null, nothing: undefined } },
    number: 2,
    flag: false,
    harmless: "x",
  };
  const before = structuredClone(fields);
  assertEquals(redactFields(fields, (text) => text.replaceAll("hunter2", "*")), {
    text: "a * b",
    list: ["*", 1, ["*"]],
    object: { deep: { text: "*", none: null, nothing: undefined } },
    number: 2,
    flag: false,
    harmless: "x",
  });
  assertEquals(fields, before);
});

Deno.test("redactFields() returns fields without secrets as they are", () => {
  const fields = { text: "a", list: ["b", { deep: "c" }], number: 1 };
  assertStrictEquals(redactFields(fields, redactTokens), fields);
});

Deno.test("createLogger() writes no secret that was added after an equal text was written", () => {
  const lines: string[] = [];
  const secrets: string[] = [];
  const logger = createLogger({
    level: "info",
    format: "json",
    write: (line) => lines.push(line),
    redaction: {
      get version(): number {
        return secrets.length;
      },
      redact: (text) => secrets.includes(text) ? "[gone]" : text,
    },
  });
  for (const secret of ["none", "api.test"]) {
    secrets.push(secret);
    logger.emit(EXCHANGED);
  }
  assertEquals(lines.map((line) => JSON.parse(line).host), ["api.test", "[gone]"]);
});

Deno.test("createLogger() writes only complete lines when the search for secrets fails", async () => {
  const written: string[] = [];
  function writeSync(bytes: Uint8Array): number {
    written.push(new TextDecoder().decode(bytes));
    return bytes.length;
  }
  const logger = createLogger({
    level: "info",
    format: "json",
    stream: { write: async (bytes) => await writeSync(bytes), writeSync },
    redaction: {
      version: 0,
      redact(text): string {
        if (text === "unreadable") throw new Error("cannot be searched");
        return text;
      },
    },
  });
  const names = ["connection", "requestId", "traceId", "host"] as const;
  for (const name of names) {
    assertThrows(() => logger.emit({ ...EXCHANGED, [name]: "unreadable" }));
    logger.emit(EXCHANGED);
  }
  await logger.flush();
  const hosts = written.join("").trim().split("\n").map((line) => JSON.parse(line).host);
  assertEquals(hosts, names.map(() => EXCHANGED.host));
});

Deno.test("createLogger() writes no secret at the end of a request id", () => {
  const lines: string[] = [];
  const logger = createLogger({
    level: "info",
    format: "json",
    write: (line) => lines.push(line),
    redaction: { version: 1, redact: (text) => text.replaceAll("hunter2", "[gone]") },
  });
  for (const end of ["-hunter2", "-2", `-${JWT}`]) {
    logger.emit({ ...EXCHANGED, requestId: `${EXCHANGED.connection}${end}` });
  }
  const names = lines.map((line) => JSON.parse(line).requestId);
  assertEquals(names, ["c1-[gone]", "c1-2", "c1-[redacted]"]);
});

Deno.test("createLogger() writes no secret in any event, whichever field it is in", () => {
  const secret = 'pa"ss';
  const lines: string[] = [];
  for (const format of ["json", "pretty"] as const) {
    const logger = createLogger({
      level: "debug",
      format,
      write: (line) => lines.push(line),
      redaction: { version: 0, redact: (text) => text.replaceAll(secret, "[gone]") },
    });
    // Every text of every event contains all secrets.
    for (const { type, ...fields } of ALL) {
      const poison = JSON.stringify(
        fields,
        (_, value) => typeof value === "string" ? `${value} ${secret} Bearer abcdef ${JWT}` : value,
      );
      const error = new Error(`failed with ${secret} and ${JWT}`, {
        cause: new Error(`because of Bearer abcdef and ${secret}`),
      });
      emitUnchecked(logger, { type, ...(type === "failed" ? { error } : JSON.parse(poison)) });
    }
  }
  assertEquals(lines.length, ALL.length * 2);
  for (const line of lines) {
    for (const leaked of [secret, JSON.stringify(secret).slice(1, -1), "abcdef", JWT, "eyJ"]) {
      assertEquals(line.includes(leaked), false, line);
    }
  }
  const withoutTexts = ["stopped", "draining"];
  const redacted = lines.filter((line) => line.includes("[gone]"));
  assertEquals(redacted.length, lines.length - withoutTexts.length * 2);
});
