/**
 * A client of a scripted server, past its greeting.
 *
 * @module
 */
import { type Client, type ClientOptions, createClient } from "../../src/client/mod.ts";
import type { Limits } from "../../src/protocol/mod.ts";
import { type FakeConnection, type FakeServer, startFakeServer } from "../helpers/fake_server.ts";

/** A client, the server, and their connection. */
export interface Conversation extends AsyncDisposable {
  readonly client: Client;
  readonly server: FakeServer;
  readonly connection: FakeConnection;
}

/** What is not as usual. */
export interface ConversationOptions {
  readonly limits?: Partial<Limits>;
  readonly options?: ClientOptions;
  readonly deps?: Parameters<typeof createClient>[2];
}

/** Gives a client that has a connection and knows the limits. */
export async function startConversation(
  { limits = {}, options = {}, deps = {} }: ConversationOptions = {},
): Promise<Conversation> {
  const server = startFakeServer({ hello: limits });
  const client = createClient(server.url, options, deps);
  const warm = client.fetch("http://upstream.example/");
  const connection = await server.accept();
  connection.respond((await connection.next()).id, "");
  await warm;
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
