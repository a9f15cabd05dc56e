/**
 * Compares `client.fetch` with `fetch`: both make the call of each row, and must have the same outcome.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { createClient, type Fetch } from "../../src/client/mod.ts";
import { startService } from "../helpers/service.ts";
import { type RawConnection, startHttp, startRaw, type Upstream } from "../helpers/upstream.ts";
import { API_ROWS } from "./fidelity/apis.ts";
import { FAILURE_ROWS } from "./fidelity/failures.ts";
import { REDIRECT_ROWS } from "./fidelity/redirects.ts";
import { REQUEST_ROWS } from "./fidelity/requests.ts";
import { RESPONSE_ROWS } from "./fidelity/responses.ts";
import { decodedAs, nameOf, observe, type Row } from "./fidelity/row.ts";

/** A request as the server has received it. */
interface ReceivedRequest {
  readonly request: string;
  readonly headers: readonly (readonly [string, string])[];
  body: string;
}

/** The outcome of one of the two calls. */
interface Outcome {
  readonly requests: readonly ReceivedRequest[] | undefined;
  readonly result?: unknown;
  readonly rejected?: unknown;
}

/** One of the two calls. */
interface Run {
  readonly requests: ReceivedRequest[];
  /** Resolved when the server has received the request head. */
  readonly arrived: PromiseWithResolvers<void>;
}

// Fields that may differ: the name of the client, the framing of the body, and the codings it accepts.
const OWN_FIELDS: ReadonlySet<string> = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "transfer-encoding",
  "user-agent",
]);

const ROWS: readonly Row[] = [
  ...REQUEST_ROWS,
  ...RESPONSE_ROWS,
  ...REDIRECT_ROWS,
  ...FAILURE_ROWS,
  ...API_ROWS,
];
for (const row of ROWS) {
  Deno.test(`client.fetch() has the same outcome as fetch(): ${row.name}`, async () => {
    let run = startRun();
    await using upstream = startUpstream(row, () => run);
    await using service = startService();
    await using client = createClient(service.url);
    const native = await outcome(fetch, row, { url: upstream.origin, run });
    run = startRun();
    const proxied = await outcome(client.fetch, row, { url: upstream.origin, run });
    assertEquals(proxied, withPhrase(withoutCoding(native, row), row));
  });
}

const MORE_THAN_DENO = [
  { name: "a space before the colon", lines: "x-a : 1", expected: "1" },
  { name: "a folded line", lines: "x-a: 1\r\n 2", expected: "1 2" },
];
for (const { name, lines, expected } of MORE_THAN_DENO) {
  Deno.test(`client.fetch() returns what browsers return and Deno's fetch refuses: ${name}`, async () => {
    const raw = `HTTP/1.1 200 OK\r\n${lines}\r\ncontent-length: 2\r\n\r\nok`;
    const run = startRun();
    await using upstream = startUpstream({ name, raw }, () => run);
    await using service = startService();
    await using client = createClient(service.url);
    await assertRejects(() => fetch(upstream.origin), TypeError);
    const response = await client.fetch(upstream.origin);
    assertEquals([response.headers.get("x-a"), await response.text()], [expected, "ok"]);
  });
}

/** Deno's fetch decodes gzip and br, and less of them than browsers do. The client returns what browsers return. */
function withoutCoding(outcome: Outcome, { decoded }: Row): Outcome {
  return decoded === undefined
    ? outcome
    : { ...outcome, result: decodedAs(decoded, outcome.result) };
}

/** Deno's fetch returns the usual phrase for each status. The client returns the server's (Fetch, "status message"). */
function withPhrase(outcome: Outcome, { raw }: Row): Outcome {
  const phrase = typeof raw === "string"
    ? /^HTTP\/1\.1 [2-9]\d\d ?(.*)\r\n/m.exec(raw)?.[1]
    : undefined;
  const { result } = outcome;
  if (phrase === undefined || !isObserved(result)) return outcome;
  return { ...outcome, result: { ...result, statusText: phrase } };
}

function isObserved(result: unknown): result is { readonly statusText: string } {
  return typeof result === "object" && result !== null && "statusText" in result;
}

function startRun(): Run {
  return { requests: [], arrived: Promise.withResolvers<void>() };
}

async function outcome(
  fetch: Fetch,
  { path = "/", init, use, unseen }: Row,
  { url, run }: { readonly url: string; readonly run: Run },
): Promise<Outcome> {
  const { arrived } = run;
  const requests = unseen ? undefined : run.requests;
  try {
    const result = use === undefined
      ? await observe(await fetch(`${url}${path}`, init?.()))
      : await use(fetch, `${url}${path}`, arrived.promise);
    return { requests, result };
  } catch (error) {
    return { requests, rejected: nameOf(error) };
  }
}

function startUpstream(row: Row, current: () => Run): Upstream {
  const { http = () => new Response("ok"), raw } = row;
  if (raw !== undefined) {
    return startRaw(async (connection) => {
      const { requests, arrived } = current();
      const [request = ""] = (await connection.readHead()).split("\r\n", 1);
      requests.push({ request, headers: [], body: "" });
      arrived.resolve();
      await play(raw, connection);
      connection.close();
    });
  }
  return startHttp(async (request) => {
    const { requests, arrived } = current();
    const headers = [...request.headers].filter(([name]) => !OWN_FIELDS.has(name));
    const boundary = /boundary=(.*)/.exec(request.headers.get("content-type") ?? "")?.[1];
    const plain = (text: string): string => boundary ? text.replaceAll(boundary, "-") : text;
    const received: ReceivedRequest = {
      request: `${request.method} ${request.url}`,
      headers: headers.map(([name, value]) => [name, plain(value)]),
      body: "",
    };
    requests.push(received);
    arrived.resolve();
    received.body = plain(new TextDecoder("latin1").decode(await request.clone().arrayBuffer()));
    return await http(request);
  });
}

async function play(raw: NonNullable<Row["raw"]>, connection: RawConnection): Promise<void> {
  if (typeof raw === "function") return await raw(connection);
  await connection.write(raw);
}
