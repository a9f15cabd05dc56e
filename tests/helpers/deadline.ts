/**
 * Gives each test a deadline: `deno task test` loads this module before each file of tests.
 *
 * A test that takes longer fails, even if it never returns to the event loop, and the next one runs.
 * A test that needs more time has its own `timeout`.
 *
 * @module
 */

const DEADLINE_MS = Number(Deno.env.get("TEST_DEADLINE_MS") ?? 60_000);

/** Deno takes the location of a test from this property of its function, else from the stack. */
const LOCATION = Symbol.for("Deno.test.location");

/** Returns the arguments of `Deno.test`, in any of its forms, with a `timeout`. */
function addTimeout([first, second, ...rest]: readonly unknown[]): unknown[] {
  const defaults = { timeout: DEADLINE_MS };
  if (typeof first === "function") return [defaults, first];
  if (typeof first === "object") return [{ ...defaults, ...first }, second, ...rest];
  if (typeof second === "function") return [first, defaults, second];
  return [first, { ...defaults, ...(second ?? {}) }, ...rest];
}

/** Returns a function like `Deno.test` whose tests have a deadline, with all of its properties. */
function withDeadline<F extends typeof Deno.test | typeof Deno.test.only>(register: F): F {
  return new Proxy(register, {
    apply(target, self, args: unknown[]): void {
      const { fn } = args.find((arg) => typeof arg === "object") as { fn?: unknown } ?? {};
      const run = args.find((arg) => typeof arg === "function") ?? fn;
      const trace = new Error().stack?.split("\n")[2] ?? "";
      const [, location] = /((?:file|data|https?):.*:\d+:\d+)/.exec(trace) ?? [];
      if (typeof run === "function") Object.assign(run, { [LOCATION]: location });
      Reflect.apply(target, self, addTimeout(args));
    },
  });
}

const only = withDeadline(Deno.test.only);
Object.assign(Deno, { test: Object.assign(withDeadline(Deno.test), { only }) });
