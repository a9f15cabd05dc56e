/**
 * Responses that a server sends without a request, and the requests through the service that get them.
 *
 * @module
 */
import { connectV1, type TestClient } from "./client.ts";
import { type By, CERTIFICATE, startServiceBy } from "./once_matrix.ts";
import { startSockets, toOk } from "./socket_server.ts";

/** When the unasked response is written: together with the one before, at once after it, or so many milliseconds later. */
export type Moment = "together" | "at once" | number;

/** The outcomes of requests. */
export interface Answers {
  /** Requests that got their own response, one that nobody asked for, or one to another request. */
  own: number;
  unasked: number;
  foreign: number;
  errors: number;
}

/** Requests, a number of them in flight on each of several connections of clients. */
export interface Load {
  readonly clients: number;
  readonly inFlight: number;
  /** In all. */
  readonly requests: number;
}

/** The HTTP client, the scheme, and when the server writes what was not asked for. */
export interface Unasked {
  readonly by: By;
  readonly scheme: "http" | "https";
  readonly moment: Moment;
}

const UNASKED = "unasked";

/** Makes the requests of a load, the next one as soon as one has ended. */
export async function countAnswers(
  { by, scheme, moment }: Unasked,
  { clients, inFlight, requests }: Load,
): Promise<Answers> {
  const answers: Answers = { own: 0, unasked: 0, foreign: 0, errors: 0 };
  await using stack = new AsyncDisposableStack();
  const server = stack.use(
    await startSockets((socket, head) => {
      const own = toOk(head.split(" ")[1] ?? "");
      if (moment === "together") return void socket.write(own + toOk(UNASKED));
      socket.write(own);
      if (moment === "at once") socket.write(toOk(UNASKED));
      else setTimeout(() => socket.write(toOk(UNASKED)), moment);
    }, scheme === "https" ? CERTIFICATE : undefined),
  );
  const service = stack.use(startServiceBy(by, { proxy: "" }));
  let left = requests;

  function send(client: TestClient): void {
    const id = left--;
    client.send({ type: "request", id, url: `${server.origin}/${id}`, timeoutMs: 10_000 });
  }

  async function run(client: TestClient): Promise<void> {
    let running = 0;
    for (; running < inFlight && left > 0; running++) send(client);
    for (; running > 0; running--) {
      const { id, type, text } = await client.next();
      if (type === "error") answers.errors++;
      else if (text === `/${id}`) answers.own++;
      else if (text === UNASKED) answers.unasked++;
      else answers.foreign++;
      if (left <= 0) continue;
      send(client);
      running++;
    }
  }

  const all: TestClient[] = [];
  while (all.length < clients) all.push(stack.use(await connectV1(service.url)));
  await Promise.all(all.map(run));
  return answers;
}
