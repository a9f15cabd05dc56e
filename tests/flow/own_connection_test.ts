/**
 * Which requests share a connection to a destination: none with a connection that another client has authenticated, or
 * that carries the credentials of a named upstream.
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { connectV1, type TestClient } from "../helpers/client.ts";
import { CERTIFICATE, startServiceBy } from "../helpers/once_matrix.ts";
import { startSockets, toOk } from "../helpers/socket_server.ts";
import type { Upstream } from "../helpers/upstream.ts";

/** Starts a server that responds with the number of the connection. */
function startNumbering(scheme: "http" | "https"): Promise<Upstream> {
  return startSockets(
    (socket, _, connection) => void socket.write(toOk(`connection ${connection}`)),
    scheme === "https" ? CERTIFICATE : undefined,
  );
}

let lastId = 0;

/** Makes a request and returns the connection that it went over. */
async function ask(client: TestClient, url: string, authorization?: string): Promise<string> {
  const headers = authorization === undefined ? {} : { authorization };
  const { text, code } = await client.ask({ type: "request", id: ++lastId, url, headers });
  assertEquals(code, undefined);
  return text;
}

for (const by of ["direct", "fetch"] as const) {
  for (const scheme of ["http", "https"] as const) {
    for (
      const [first, second] of [["NTLM TlR=", "NTLM TlS="], ["Negotiate YI=", "negotiate YJ="]]
    ) {
      Deno.test(`a connection authenticated by ${first} over ${scheme} is its client's own (${by})`, async () => {
        await using server = await startNumbering(scheme);
        await using service = startServiceBy(by, { proxy: "" });
        await using one = await connectV1(service.url);
        await using other = await connectV1(service.url);
        const url = `${server.origin}/`;

        const shared = await ask(other, url); // idle when it is authenticated, where connections are kept
        const bound = await ask(one, url, first);
        const others: string[] = [];
        for (let round = 0; round < 3; round++) others.push(await ask(other, url));
        others.push(await ask(other, url, first));
        const ids = Array.from({ length: 16 }, () => ++lastId);
        for (const id of ids) other.send({ type: "request", id, url });
        others.push(...(await other.take(ids.length)).map(({ text }) => text));
        assertEquals(others.includes(bound), false, "another client has used it");

        const next = await ask(one, url, second);
        if (by === "direct") {
          assertEquals(bound, shared);
          assertEquals(next, bound, "the next message goes over the same connection");
        } else {
          assertNotEquals(bound, shared);
          assertNotEquals(next, bound, "fetch keeps no such connection");
        }
        assertEquals(others.includes(next), false);
        for (let round = 0; round < 3; round++) assertNotEquals(await ask(other, url), next);
      });
    }

    Deno.test(`named upstreams and URLs of one host share no connection over ${scheme} (${by})`, async () => {
      await using server = await startNumbering(scheme);
      const upstream = (key: string) => ({
        baseUrl: server.origin,
        headers: { authorization: `Bearer ${key}` },
      });
      await using service = startServiceBy(by, {
        proxy: "",
        UPSTREAMS: JSON.stringify({ one: upstream("1"), two: upstream("2") }),
      });
      await using client = await connectV1(service.url);
      await using other = await connectV1(service.url);
      const urls = ["one:/", "two:/", `${server.origin}/`];
      const connections = new Map<string, Set<string>>(urls.map((url) => [url, new Set()]));
      for (let round = 0; round < 4; round++) {
        for (const url of urls) {
          for (const each of [client, other]) connections.get(url)?.add(await ask(each, url));
        }
      }
      const all = [...connections.values()].flatMap((set) => [...set]);
      assertEquals(all.length, new Set(all).size, "a connection is used for one of them only");
      assert(all.length < 8, "connections are reused");
    });
  }
}
