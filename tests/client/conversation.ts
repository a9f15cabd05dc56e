/**
 * A client connected to a scripted server.
 *
 * @module
 */
import { type Client, type ClientOptions, createClient } from "../../src/client/mod.ts";
import type { Limits } from "../../src/protocol/mod.ts";
import { type FakeConnection, type FakeServer, startFakeServer } from "../helpers/fake_server.ts";

/** A client, the server, and the connection between them. */
export interface Conversation extends AsyncDisposable {
  readonly client: Client;
  readonly server: FakeServer;
  readonly connection: FakeConnection;
}

/** Starts a {@linkcode Conversation} whose client has received `hello`. */
export async function startConversation({ limits = {}, options = {}, deps = {} }: {
  readonly limits?: Partial<Limits>;
  readonly options?: ClientOptions;
  readonly deps?: Parameters<typeof createClient>[2];
} = {}): Promise<Conversation> {
  const server = startFakeServer({ hello: limits });
  const client = createClient(server.url, options, deps);
  const warmUp = client.fetch("http://upstream.example/");
  const connection = await server.accept();
  connection.respond((await connection.next()).id, "");
  await warmUp;
  return {
    client,
    server,
    connection,
    async [Symbol.asyncDispose](): Promise<void> {
      await client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
