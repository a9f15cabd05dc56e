/**
 * The clients of a soak.
 *
 * @module
 */
import { pause } from "../../bench/role.ts";
import { connectPlain, type TestClient } from "../../helpers/client.ts";
import type { Breaks } from "./breaks.ts";
import { converse, LEFT } from "./conversation.ts";
import { describe, SOAK_KINDS } from "./exchanges.ts";
import type { Tally } from "./tally.ts";

const AT_ONCE = 4;
const LANE_TURNS = 3;
const PAUSE_MS = 200;
/** A client that vanishes does so after so many exchanges. */
const VANISHES_AFTER = 20;
const ANSWER_MS = 60_000;

/** What the clients of a soak share. */
export interface SoakShare {
  readonly origin: string;
  readonly url: string;
  readonly tally: Tally;
  /** By `performance.now()`. */
  readonly end: number;
  readonly nextMark: () => number;
  readonly breaks: Breaks;
}

/** Makes exchanges of every kind until the end; a client that vanishes leaves with some in flight and begins again. */
export async function runV1(shared: SoakShare, vanishes: boolean): Promise<void> {
  while (performance.now() < shared.end) await visit(shared, vanishes ? VANISHES_AFTER : Infinity);
}

/** Makes exchanges on one connection until the end, or leaves after some. */
async function visit(shared: SoakShare, leavesAfter: number): Promise<void> {
  const { url, origin, tally, end, nextMark, breaks } = shared;
  const conversation = await converse(url, tally);
  const kinds = Object.entries(SOAK_KINDS);
  let made = 0;

  async function makeExchanges(lane: number): Promise<void> {
    for (let turn = lane; performance.now() < end && made < leavesAfter; turn++) {
      const [kind = "", run] = kinds[turn % kinds.length] ?? [];
      made++;
      await breaks.exchange(async () => {
        const making = conversation.hold(async (talk) => {
          await run?.({ talk, origin, mark: nextMark() });
          tally.answered(kind);
        });
        await inTime(making, kind, tally);
      });
      await pause(PAUSE_MS);
    }
  }

  const lanes = Array.from({ length: AT_ONCE }, (_, i) => makeExchanges(i * LANE_TURNS));
  await (leavesAfter < Infinity ? Promise.race(lanes) : Promise.all(lanes));
  conversation.leave();
  await conversation.closed;
}

/** Makes plain requests until the end. */
export async function runPlain(shared: SoakShare): Promise<void> {
  const { url, end, breaks } = shared;
  await using client = await connectPlain(url);
  while (performance.now() < end) {
    await breaks.exchange(() => makePlain(client, shared));
    await pause(PAUSE_MS);
  }
}

async function makePlain(
  client: TestClient,
  { origin, tally, nextMark }: SoakShare,
): Promise<void> {
  const marks = Array.from({ length: AT_ONCE }, nextMark);
  for (const mark of marks) {
    client.send({ id: mark, url: `${origin}/json?mark=${mark}`, method: "GET" });
  }
  const missing = new Set(marks);
  for (let count = 0; count < AT_ONCE; count++) {
    const frame = await client.next();
    const { id, content } = frame;
    if (!missing.delete(id)) tally.wrong("plain: a response to no request");
    else if (content?.mark === id) tally.answered("plain");
    else if (content !== undefined) tally.wrong("plain: the response to another request");
    else tally.wrong(`plain: ${describe(frame)}`);
  }
}

async function inTime(exchange: Promise<void>, kind: string, { wrong }: Tally): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => late.reject(new Error("there is no answer")), ANSWER_MS);
  const both = Promise.race([exchange, late.promise]);
  await both.catch(({ message }: Error) => {
    if (message !== LEFT) wrong(`${kind}: ${message}`);
  });
  clearTimeout(timer);
}
