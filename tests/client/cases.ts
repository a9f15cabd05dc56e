/**
 * The cases that run against a real service in each runtime. Only types are imported, so that Node.js and browsers can
 * run the stripped source.
 *
 * @module
 */
import type { Client, ClientOptions, createClient, FetchInit } from "../../src/client/mod.ts";

/** The service and the client that the cases use. */
export interface CaseSetup {
  readonly createClient: typeof createClient;
  readonly options?: ClientOptions;
  /** `ws://…/ws` */
  readonly serviceUrl: string;
  /** The origin of `target.ts`, as `http://host:port`. */
  readonly targetUrl: string;
}

/** The outcome of a case. */
export interface CaseResult {
  readonly name: string;
  /** The stack of the error, if the case has failed. */
  readonly error?: string;
}

interface CaseTools {
  readonly client: Client;
  readonly targetUrl: string;
  /** Fetches a path of the target. */
  get(path: string, init?: FetchInit): Promise<Response>;
}

const CASES: Readonly<Record<string, (tools: CaseTools) => Promise<void>>> = {
  "returns a response like fetch": async ({ get, targetUrl }) => {
    const response = await get("/status/404");
    equal(response instanceof Response, true);
    equal([response.status, response.ok, response.redirected], [404, false, false]);
    equal(response.url, `${targetUrl}/status/404`);
    equal(await response.clone().text(), "status");
    equal(await response.text(), "status");
  },
  "keeps each Set-Cookie field separate": async ({ get }) => {
    const response = await get("/cookies");
    equal(response.headers.getSetCookie(), ["a=1", "b=2"]);
    equal(response.clone().headers.getSetCookie(), ["a=1", "b=2"]);
  },
  "returns null bodies": async ({ get }) => {
    equal((await get("/status/204")).body, null);
    equal((await get("/bytes/10", { method: "HEAD" })).body, null);
  },
  "follows, returns or rejects redirects": async ({ get, targetUrl }) => {
    const followed = await get("/redirect");
    equal([followed.status, followed.redirected], [200, true]);
    equal(followed.url, `${targetUrl}/status/200`);
    const manual = await get("/redirect", { redirect: "manual" });
    equal([manual.status, manual.headers.get("location")], [302, "/status/200"]);
    const error = await rejection(get("/redirect", { redirect: "error" }));
    equal([error instanceof TypeError, causeOf(error).code], [true, "too_many_redirects"]);
  },
  "sends a string": ({ get }) => echoes(get, "é", "é", "text/plain;charset=UTF-8"),
  "sends bytes": ({ get }) => echoes(get, new Uint8Array([0, 255, 128]), [0, 255, 128], null),
  "sends bytes that are text": ({ get }) => echoes(get, new Uint8Array([65]), "A", null),
  "sends a Blob": ({ get }) => echoes(get, new Blob(["b"], { type: "x/y" }), "b", "x/y"),
  "sends URLSearchParams": ({ get }) =>
    echoes(
      get,
      new URLSearchParams({ a: "b c" }),
      "a=b+c",
      "application/x-www-form-urlencoded;charset=UTF-8",
    ),
  "sends FormData": async ({ get }) => {
    const body = new FormData();
    body.set("text", "é");
    body.set("file", new File([new Uint8Array([0, 255])], "f.bin"));
    const form = await (await get("/echo", { method: "POST", body })).formData();
    equal(form.get("text"), "é");
    const file = form.get("file");
    if (!(file instanceof File)) throw new Error("The file is missing");
    equal([file.name, ...new Uint8Array(await file.arrayBuffer())], ["f.bin", 0, 255]);
  },
  "sends a stream": ({ get }) => echoes(get, new Blob(["stream"]).stream(), "stream", null),
  "sends a Request": async ({ client, targetUrl }) => {
    const request = new Request(`${targetUrl}/echo`, {
      method: "PUT",
      body: "body",
      headers: { "x-sent": "1" },
    });
    const response = await client.fetch(request);
    equal([response.headers.get("x-method"), response.headers.get("x-sent")], ["PUT", "1"]);
    equal([await response.text(), request.bodyUsed], ["body", true]);
  },
  "receives a body larger than the window": async ({ get }) => {
    const bytes = new Uint8Array(await (await get("/bytes/3000000")).arrayBuffer());
    equal(bytes.byteLength, 3_000_000);
    equal(bytes.findIndex((byte, at) => byte !== at % 251), -1);
  },
  "receives a short body like fetch": async ({ get }) => {
    const body = new Blob(["\ufeffé"], { type: "x/y" });
    const response = await get("/echo", { method: "POST", body });
    const clone = response.clone();
    equal([(await clone.blob()).type, await response.text()], ["x/y", "é"]);
    equal([clone.bodyUsed, response.bodyUsed], [true, true]);
  },
  "receives a short body of unknown length": async ({ get }) => {
    equal(await (await get("/drip/5")).text(), "AAAAA");
  },
  "sends a body larger than the window": async ({ get }) => {
    const body = new Blob([new Uint8Array(3_000_000)]);
    equal(await (await get("/count", { method: "POST", body })).json(), { length: 3_000_000 });
  },
  "aborts before the head": async ({ get }) => {
    const abort = new AbortController();
    const call = rejection(get("/never", { signal: abort.signal }));
    await get("/status/200");
    abort.abort();
    equal(nameOf(await call), "AbortError");
  },
  "aborts during the body, with the reason": async ({ get }) => {
    const abort = new AbortController();
    const response = await get("/bytes/3000000", { signal: abort.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    const reason = new Error("enough");
    abort.abort(reason);
    equal(await rejection(readAll(reader)) === reason, true);
  },
  "rejects what fetch rejects": async ({ client, get }) => {
    equal(nameOf(await rejection(client.fetch("data:text/plain,x"))), "TypeError");
    equal(nameOf(await rejection(get("/", { body: "x" }))), "TypeError");
    const reason = new Error("enough");
    equal(await rejection(get("/", { signal: AbortSignal.abort(reason) })) === reason, true);
  },
  "rejects a URL with credentials if the platform's Request does": async (
    { client, targetUrl },
  ) => {
    const url = targetUrl.replace("//", "//name:password@");
    const made = Promise.resolve(url).then((it) => new Request(it));
    const isRefused = await made.then(() => false, () => true);
    const error = await client.fetch(url).catch((error: unknown) => error);
    equal(error instanceof TypeError && error.cause === undefined, isRefused);
  },
  "rejects with the code of a refused destination": async ({ client }) => {
    const { code, sent, retryable } = causeOf(await rejection(client.fetch("http://10.0.0.1/")));
    equal([code, sent, retryable], ["destination_ip_prohibited", "no", false]);
  },
  "iterates over server-sent events across the end of the stream": async (
    { client, targetUrl },
  ) => {
    const seen: string[] = [];
    for await (const { type, data, lastEventId } of client.events(`${targetUrl}/events`)) {
      seen.push(`${type} ${data} ${lastEventId}`);
      if (seen.length === 4) break;
    }
    equal(seen, ["tick a 1", "tick b 2", "tick a 3", "tick b 4"]);
  },
  "runs a hundred requests concurrently": async ({ get }) => {
    const calls = Array.from(
      { length: 100 },
      async (_, at) => await (await get("/echo", { method: "POST", body: `${at}` })).text(),
    );
    equal(await Promise.all(calls), calls.map((_, at) => `${at}`));
  },
};

/** Runs each case with a new client. */
export async function runCases(
  { createClient, options, serviceUrl, targetUrl }: CaseSetup,
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const [name, run] of Object.entries(CASES)) {
    const client = createClient(serviceUrl, options);
    try {
      const get: CaseTools["get"] = (path, init) => client.fetch(`${targetUrl}${path}`, init);
      await run({ client, targetUrl, get });
      results.push({ name });
    } catch (error) {
      results.push({ name, error: error instanceof Error ? `${error.stack}` : String(error) });
    }
    await client.close();
  }
  return results;
}

async function echoes(
  get: CaseTools["get"],
  body: BodyInit,
  expected: string | number[],
  type: string | null,
): Promise<void> {
  const response = await get("/echo", { method: "POST", body });
  equal(response.headers.get("content-type"), type);
  const bytes = new Uint8Array(await response.arrayBuffer());
  equal(typeof expected === "string" ? new TextDecoder().decode(bytes) : [...bytes], expected);
}

async function readAll(reader: ReadableStreamDefaultReader | undefined): Promise<void> {
  while ((await reader?.read())?.done === false);
}

async function rejection(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error("The call did not reject");
}

function nameOf(error: unknown): unknown {
  return error instanceof Error || error instanceof DOMException ? error.name : error;
}

function causeOf(error: unknown): Readonly<Record<string, unknown>> {
  const cause = error instanceof TypeError ? error.cause : undefined;
  return { ...Object(cause) };
}

function equal(actual: unknown, expected: unknown): void {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== e) throw new Error(`${a} is not ${e}`);
}
