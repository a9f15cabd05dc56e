/**
 * Rows that compare aborts, resets and bodies that are cut off.
 *
 * @module
 */
import type { Fetch } from "../../../src/client/mod.ts";
import { latin1 } from "../../helpers/upstream.ts";
import { MIB, nameOf, OK_LINE, type Row } from "./row.ts";

const REASON = new RangeError("enough");

const ABORTS: readonly Row[] = [
  { name: "abort before the call", init: () => ({ signal: AbortSignal.abort() }) },
  { name: "abort before the call, with a reason", init: () => ({ signal: AbortSignal.abort(7) }) },
  {
    name: "abort immediately after the call",
    unseen: true,
    use: (fetch, url) => abortNow(fetch, url, undefined),
  },
  {
    name: "abort immediately after the call, with a reason",
    unseen: true,
    use: (fetch, url) => abortNow(fetch, url, REASON),
  },
  ...[
    { name: "before the head", text: "" },
    { name: "inside the head", text: `${OK_LINE}x-a: b\r\n` },
  ].flatMap(({ name, text }) =>
    [undefined, REASON].map((reason): Row => ({
      name: `abort ${name}${reason ? ", with a reason" : ""}`,
      ...silentAfter(text),
      use: async (fetch, url, arrived) => {
        const abort = new AbortController();
        const call = fetch(url, { signal: abort.signal });
        call.catch(() => {});
        await arrived;
        abort.abort(reason);
        return await call;
      },
    }))
  ),
  ...[
    { name: "a chunked body", text: `${OK_LINE}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n` },
    { name: "a long body", text: `${OK_LINE}content-length: 100000\r\n\r\nab` },
  ].flatMap(({ name, text }) =>
    [undefined, REASON].map((reason): Row => ({
      name: `abort inside ${name}${reason ? ", with a reason" : ""}`,
      ...silentAfter(text),
      use: async (fetch, url) => {
        const abort = new AbortController();
        const response = await fetch(url, { signal: abort.signal });
        const reader = response.body?.getReader();
        const first = await reader?.read();
        abort.abort(reason);
        return [response.status, first, await reader?.read().catch(nameOf)];
      },
    }))
  ),
  {
    name: "abort during an upload",
    ...silentAfter(""),
    use: async (fetch, url, arrived) => {
      const abort = new AbortController();
      const body = new ReadableStream({ start: (it) => it.enqueue(latin1("begun")) });
      const call = fetch(url, { method: "POST", body, signal: abort.signal });
      call.catch(() => {});
      await arrived;
      abort.abort();
      return await call;
    },
  },
  {
    name: "abort after the body",
    use: async (fetch, url) => {
      const abort = new AbortController();
      const response = await fetch(url, { signal: abort.signal });
      const text = await response.text();
      abort.abort();
      return [text, response.bodyUsed];
    },
  },
  {
    name: "abort of the signal of a Request",
    ...silentAfter(""),
    use: async (fetch, url, arrived) => {
      const abort = new AbortController();
      const call = fetch(new Request(url, { signal: abort.signal }));
      call.catch(() => {});
      await arrived;
      abort.abort(REASON);
      return await call;
    },
  },
  {
    name: "a timeout signal",
    unseen: true,
    ...silentAfter(""),
    init: () => ({ signal: AbortSignal.timeout(50) }),
  },
  {
    name: "cancel() of a body",
    ...silentAfter(`${OK_LINE}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n`),
    use: async (fetch, url) => {
      const response = await fetch(url);
      await response.body?.cancel();
      return [response.bodyUsed, await response.text().catch(nameOf)];
    },
  },
];

const RESETS: readonly Row[] = [
  { name: "an end before the head", raw: "" },
  { name: "an end inside the status line", raw: "HTTP/1.1 20" },
  { name: "an end inside the head", raw: `${OK_LINE}x-a: b\r\nx-` },
  { name: "an end after the head of a long body", raw: `${OK_LINE}content-length: 100000\r\n\r\n` },
  { name: "an end inside a long body", raw: `${OK_LINE}content-length: 100000\r\n\r\nab` },
  { name: "an end before the first chunk", raw: `${OK_LINE}transfer-encoding: chunked\r\n\r\n` },
  { name: "an end inside a chunk", raw: `${OK_LINE}transfer-encoding: chunked\r\n\r\n5\r\nab` },
  { name: "an end between chunks", raw: `${OK_LINE}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n` },
  { name: "an end inside a chunk size", raw: `${OK_LINE}transfer-encoding: chunked\r\n\r\n2` },
  {
    name: "an end inside the trailers",
    raw: `${OK_LINE}transfer-encoding: chunked\r\n\r\n0\r\nx-t`,
  },
  { name: "an invalid chunk size", raw: `${OK_LINE}transfer-encoding: chunked\r\n\r\nxy\r\nab` },
  {
    name: "a reset while the body is not read",
    raw: "",
    init: () => ({ method: "POST", body: MIB }),
  },
  {
    name: "a port without a listener",
    use: async (fetch) => {
      const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
      const { port } = listener.addr;
      listener.close();
      return await fetch(`http://127.0.0.1:${port}/`);
    },
  },
];

/** Rows that compare failures. */
export const FAILURE_ROWS: readonly Row[] = [...ABORTS, ...RESETS];

/** Sends `text`, then nothing until the client closes the connection. */
function silentAfter(text: string): Partial<Row> {
  return {
    raw: async (connection) => {
      if (text !== "") await connection.write(text);
      await connection.peerClosed();
    },
  };
}

async function abortNow(fetch: Fetch, url: string, reason: unknown): Promise<unknown> {
  const abort = new AbortController();
  const call = fetch(url, { signal: abort.signal });
  abort.abort(reason);
  return await call;
}
