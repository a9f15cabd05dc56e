/**
 * What the error of an exchange that is ended early says of the request: may the destination have acted on it?
 */
import { assertEquals } from "@std/assert";
import type { Decision } from "../../src/policy/policy.ts";
import type { ProxyRequest } from "../../src/protocol/mod.ts";
import {
  type Call,
  createFakeBody,
  createRunnerBench,
  DRAINING,
  type FakeBody,
  lastCall,
  type RunnerBench,
  settle,
} from "../helpers/exchange.ts";

/** What a drain says of an exchange, by how far it has come. */
const STAGES: readonly {
  readonly name: string;
  readonly request?: Partial<ProxyRequest>;
  readonly lead?: (bench: RunnerBench) => void;
  readonly expected: "no" | "maybe" | "yes";
}[] = [
  { name: "its request was made", expected: "maybe" },
  {
    name: "its whole body is read",
    lead: (bench) => lastCall(bench).respond({ body: endless(lastCall(bench), 0) }),
    expected: "yes",
  },
  {
    name: "its body is streamed",
    request: { stream: true },
    lead: (bench) => lastCall(bench).respond({ body: endless(lastCall(bench), 1) }),
    expected: "yes",
  },
  {
    name: "a redirect was answered",
    lead: (bench) => lastCall(bench).respond(redirectTo("http://x/next")),
    expected: "yes",
  },
  {
    name: "a redirect leads to a host that is looked up",
    lead: (bench) => lastCall(bench).respond(redirectTo("http://slow/")),
    expected: "yes",
  },
  {
    name: "its host is looked up",
    request: { target: new URL("http://slow/") },
    expected: "no",
  },
];

function redirectTo(location: string): object {
  return { status: 307, headers: [["location", location]] };
}

/** A body of two chunks of which one never arrives; it fails as the signal of its request does. */
function endless({ signal }: Call, late: number): FakeBody {
  const failed = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
  return createFakeBody(["a", "b"], {
    isHere: false,
    before: (index) => index === late ? failed : undefined,
  });
}

for (const { name, request, lead, expected } of STAGES) {
  for (const method of ["GET", "POST"]) {
    Deno.test(`run() says sent: "${expected}" of a ${method} that ends early once ${name}`, async () => {
      const bench = createRunnerBench({
        policy: {
          decide: ({ host }): Decision | Promise<Decision> =>
            host === "slow" ? new Promise(() => {}) : { allow: true, reason: "test" },
        },
      });
      const running = bench.start({ ...request, method });
      lead?.(bench);
      await settle();
      running.exchange.fail(DRAINING);
      await running.done;
      const { code, sent, retryable, message } = running.outlet.last("fail").error;
      assertEquals([code, message], ["draining", DRAINING.message]);
      assertEquals([sent, retryable], [expected, expected === "no" || method === "GET"]);
    });
  }
}
