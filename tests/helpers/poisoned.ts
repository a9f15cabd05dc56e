/**
 * Counts the requests through the service that got a response which was not theirs.
 *
 * @module
 */
import { connectV1, type TestClient } from "./client.ts";
import { type Moment, POISON, startPoisoning } from "./poisoning_server.ts";
import { type By, CERTIFICATE, startServiceBy } from "./once_matrix.ts";

/** The outcomes of requests. */
export interface Answers {
  own: number;
  poison: number;
  /** The response to another request. */
  foreign: number;
  errors: number;
}

/** Requests, a number of them in flight on each of several connections. */
export interface Load {
  readonly clients: number;
  readonly inFlight: number;
  /** In all. */
  readonly requests: number;
}

/** The client, the scheme, and when the server writes what was not asked for. */
export interface Poisoning {
  readonly by: By;
  readonly scheme: "http" | "https";
  readonly moment: Moment;
}

/** Makes the requests of a load, each connection the next one as soon as one has ended. */
export async function countAnswers(
  { by, scheme, moment }: Poisoning,
  { clients, inFlight, requests }: Load,
): Promise<Answers> {
  const answers: Answers = { own: 0, poison: 0, foreign: 0, errors: 0 };
  await using stack = new AsyncDisposableStack();
  const server = stack.use(startPoisoning(moment, scheme === "https" ? CERTIFICATE : undefined));
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
      else if (text === POISON) answers.poison++;
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
