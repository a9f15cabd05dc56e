/**
 * What fetch does and what the client does, next to each other: one row, two calls, one outcome.
 */
import { assertEquals } from "@std/assert";
import { createClient, type Fetch } from "../../src/client/mod.ts";
import { startService } from "../helpers/service.ts";
import { type RawConnection, startHttp, startRaw, type Upstream } from "../helpers/upstream.ts";
import { nameOf, observe, type Row, ROWS } from "./fidelity_rows.ts";

/** What a server saw of a request. */
interface Seen {
  readonly request: string;
  readonly headers: readonly (readonly [string, string])[];
  body: string;
}

/** What came of one of the two calls. */
interface Outcome {
  readonly seen: readonly Seen[] | undefined;
  readonly result?: unknown;
  readonly rejected?: unknown;
}

/** One of the two calls. */
interface Run {
  readonly seen: Seen[];
  /** The request's head has come to the server. */
  readonly arrived: PromiseWithResolvers<void>;
}

// Not compared: who asks, how it frames a body of which it may know the length, what it can decode.
const OWN_FIELDS: ReadonlySet<string> = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "transfer-encoding",
  "user-agent",
]);

for (const row of ROWS) {
  Deno.test(`client.fetch() does as fetch: ${row.name}`, async () => {
    let run = startRun();
    await using upstream = startUpstream(row, () => run);
    await using service = startService();
    await using client = createClient(service.url);
    const native = await outcome(fetch, row, { url: upstream.origin, run });
    run = startRun();
    const proxied = await outcome(client.fetch, row, { url: upstream.origin, run });
    assertEquals(proxied, withPhrase(native, row));
  });
}

/** Deno's fetch gives every status its usual phrase, whereas the client gives its server's (Fetch, "status message"). */
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
  return { seen: [], arrived: Promise.withResolvers<void>() };
}

async function outcome(
  fetch: Fetch,
  { path = "/", init, use, unseen }: Row,
  { url, run }: { readonly url: string; readonly run: Run },
): Promise<Outcome> {
  const { arrived } = run;
  const seen = unseen ? undefined : run.seen;
  try {
    const result = use === undefined
      ? await observe(await fetch(`${url}${path}`, init?.()))
      : await use(fetch, `${url}${path}`, arrived.promise);
    return { seen, result };
  } catch (error) {
    return { seen, rejected: nameOf(error) };
  }
}

function startUpstream(row: Row, current: () => Run): Upstream {
  const { http = () => new Response("ok"), raw } = row;
  if (raw !== undefined) {
    return startRaw(async (connection) => {
      const { seen, arrived } = current();
      const [request = ""] = (await connection.readHead()).split("\r\n", 1);
      seen.push({ request, headers: [], body: "" });
      arrived.resolve();
      await play(raw, connection);
      connection.close();
    });
  }
  return startHttp(async (request) => {
    const { seen, arrived } = current();
    const headers = [...request.headers].filter(([name]) => !OWN_FIELDS.has(name));
    const boundary = /boundary=(.*)/.exec(request.headers.get("content-type") ?? "")?.[1];
    const plain = (text: string): string => boundary ? text.replaceAll(boundary, "-") : text;
    const it: Seen = {
      request: `${request.method} ${request.url}`,
      headers: headers.map(([name, value]) => [name, plain(value)]),
      body: "",
    };
    seen.push(it);
    arrived.resolve();
    it.body = plain(new TextDecoder("latin1").decode(await request.clone().arrayBuffer()));
    return await http(request);
  });
}

async function play(raw: NonNullable<Row["raw"]>, connection: RawConnection): Promise<void> {
  if (typeof raw === "function") return await raw(connection);
  await connection.write(raw);
}
