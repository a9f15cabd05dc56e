import { assertEquals } from "@std/assert";
import { createMember, type Member } from "../../src/workers/member.ts";
import type { FromWorker, StartMessage, ToWorker } from "../../src/workers/messages.ts";

const SHARED: StartMessage["shared"] = {
  turn: new Int32Array(new SharedArrayBuffer(4)),
  seats: new Int32Array(new SharedArrayBuffer(4)),
  limits: {},
};

/** A member whose threads and times come by hand. */
function createFake(): {
  readonly member: Member;
  /** What each thread was sent. */
  readonly threads: (ToWorker["type"])[][];
  readonly told: FromWorker["type"][];
  /** Lets the last thread say something. */
  say(message: FromWorker): void;
  /** Lets the pause pass that was asked for, and gives how long it is. */
  pass(): number | undefined;
  time: number;
  isReplaced: boolean;
} {
  const threads: (ToWorker["type"])[][] = [];
  const told: FromWorker["type"][] = [];
  const pauses: { readonly ms: number; readonly action: () => void }[] = [];
  let say: (message: FromWorker) => void = () => {};
  const fake = {
    threads,
    told,
    say: (message: FromWorker) => say(message),
    pass(): number | undefined {
      const pause = pauses.shift();
      pause?.action();
      return pause?.ms;
    },
    time: 0,
    isReplaced: true,
  };
  const member = createMember(7, {
    startThread: (start, receive) => {
      const sent: ToWorker["type"][] = [start.type];
      threads.push(sent);
      say = receive;
      return { post: ({ type }) => void sent.push(type) };
    },
    toStart: () => ({ type: "start", index: 7, sources: { env: {}, files: {} }, shared: SHARED }),
    onMessage: (_, { type }) => void told.push(type),
    isReplaced: () => fake.isReplaced,
    now: () => fake.time,
    after: (ms, action) => void pauses.push({ ms, action }),
  });
  return Object.assign(fake, { member });
}

const ENDED = { type: "ended", reason: "it was killed" } as const;
const LISTENING = { type: "listening", url: "http://x/", port: 1 } as const;

Deno.test("createMember() starts a worker, hands messages on and says when it listens", () => {
  const fake = createFake();
  const { member } = fake;
  fake.say({ type: "ready" });
  member.post({ type: "listen", port: 1 });
  assertEquals([member.index, member.isListening], [7, false]);
  fake.say(LISTENING);
  assertEquals(member.isListening, true);
  fake.say(ENDED);
  assertEquals(member.isListening, false);
  assertEquals([fake.threads, fake.told], [[["start", "listen"]], ["ready", "listening", "ended"]]);
});

Deno.test("next() fulfils with the next message of its type, for all who wait", async () => {
  const fake = createFake();
  const waiting = [fake.member.next("listening"), fake.member.next("listening")];
  fake.say({ type: "ready" });
  fake.say(LISTENING);
  assertEquals(await Promise.all(waiting), [LISTENING, LISTENING]);
  const again = fake.member.next("listening");
  fake.say({ ...LISTENING, port: 2 });
  assertEquals(await again, { ...LISTENING, port: 2 });
});

Deno.test("next() fulfils with the end where that comes first", async () => {
  const fake = createFake();
  const waiting = [fake.member.next("drained"), fake.member.next("measured")];
  fake.say(ENDED);
  assertEquals(await Promise.all(waiting), [ENDED, ENDED]);
});

Deno.test("what a worker has said before its end is not heard behind it", () => {
  const fake = createFake();
  fake.say(ENDED);
  fake.say(LISTENING);
  fake.say(ENDED);
  assertEquals([fake.told, fake.member.isListening], [["ended"], false]);
});

Deno.test("a worker that ends is replaced after pauses that grow, until one has lived for a minute", () => {
  const fake = createFake();
  const pauses = Array.from({ length: 11 }, () => {
    fake.say(ENDED);
    fake.time += 1;
    return fake.pass();
  });
  assertEquals(
    pauses,
    [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000],
  );
  assertEquals(fake.threads.length, 12);
  fake.time += 60_001;
  fake.say(ENDED);
  assertEquals(fake.pass(), 100);
  fake.member.post({ type: "drain" });
  assertEquals(fake.threads.at(-1), ["start", "drain"]);
});

Deno.test("a worker is not replaced when the service ends, be it during the pause", () => {
  const fake = createFake();
  fake.say(ENDED);
  fake.isReplaced = false;
  assertEquals(fake.pass(), 100);
  assertEquals([fake.pass(), fake.threads.length], [undefined, 1]);
});
