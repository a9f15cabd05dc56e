/**
 * What the limits cost the service: its CPU time for a small exchange, 64 of them in flight, without limits
 * and with all of them, none of which is reached. Linux only: the time is from `/proc`.
 *
 * Run: `deno run --allow-all tests/bench/limits_cpu.ts`
 */
import { type ServiceProcess, startProcess } from "../helpers/process.ts";
import { startHttp } from "../helpers/upstream.ts";
import { type BenchSocket, connectBench } from "./socket.ts";

const IN_FLIGHT = 64;
const EXCHANGES = 6000;
const ROUNDS = 15;
const TICK_US = 10_000; // USER_HZ is 100
const ENOUGH = "10000000";
const SETTINGS = { ALLOW_HOSTS: "127.0.0.1:*", AUTH_TOKENS: "a:a-token", MAX_IN_FLIGHT: "64" };
const ALL = {
  LIMIT_CONNECTIONS: ENOUGH,
  LIMIT_IN_FLIGHT: ENOUGH,
  LIMIT_REQUESTS_PER_SECOND: ENOUGH,
  LIMIT_REQUEST_BURST: ENOUGH,
  LIMIT_BYTES_PER_MINUTE: String(Number.MAX_SAFE_INTEGER),
};

interface Load extends AsyncDisposable {
  /** Microseconds of CPU time for one of so many exchanges. */
  measure(): Promise<number>;
}

/** CPU time of a process so far, in microseconds. */
function cpuTime({ pid }: ServiceProcess): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // Behind the name, which may hold anything: utime and stime are fields 14 and 15 (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

async function startLoad(limits: Record<string, string>, url: string): Promise<Load> {
  await using stack = new AsyncDisposableStack();
  const service = stack.use(await startProcess({ ...SETTINGS, ...limits }));
  let id = 0;
  let wanted = 0;
  let done = Promise.withResolvers<void>();
  let answered = 0;
  const next = (): string => JSON.stringify({ type: "request", id: ++id, url });
  const socket: BenchSocket = stack.use(
    await connectBench(service.port, "a-token", (text) => {
      if (text.startsWith('{"type":"hello"')) return;
      if (!text.startsWith('{"type":"response"')) return done.reject(new Error(text));
      if (++answered === EXCHANGES) return done.resolve();
      if (wanted-- > 0) socket.send([next()]).catch(done.reject);
    }),
  );
  const kept = stack.move();
  return {
    async measure(): Promise<number> {
      answered = 0;
      wanted = EXCHANGES - IN_FLIGHT;
      done = Promise.withResolvers();
      const before = cpuTime(service);
      await socket.send(Array.from({ length: IN_FLIGHT }, next));
      await done.promise;
      return (cpuTime(service) - before) / EXCHANGES;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[(numbers.length - 1) / 2] ?? NaN;
}

await using upstream = startHttp(() => Response.json({ small: true }));
await using without = await startLoad({}, upstream.origin);
await using control = await startLoad({}, upstream.origin);
await using limited = await startLoad(ALL, upstream.origin);
for (const load of [without, control, limited]) await load.measure(); // warms up

const times = new Map<Load, number[]>([[without, []], [control, []], [limited, []]]);
for (let round = 0; round < ROUNDS; round++) {
  const loads = round % 2 === 0 ? [without, control, limited] : [limited, control, without];
  for (const load of loads) times.get(load)?.push(await load.measure());
}

function report(name: string, load: Load): void {
  const own = times.get(load) ?? [];
  const ratios = own.map((time, round) => time / (times.get(without)?.[round] ?? NaN));
  const [lowest, highest] = [Math.min(...ratios), Math.max(...ratios)];
  // deno-lint-ignore no-console -- a benchmark says what it measured
  console.log(
    `${name}: ${medianOf(own).toFixed(0)} µs of CPU an exchange, ${
      medianOf(ratios).toFixed(3)
    } times (${lowest.toFixed(2)} to ${highest.toFixed(2)})`,
  );
}

report("no limits", without);
report("no limits, another process", control); // what two that are the same differ by
report("all limits", limited);
