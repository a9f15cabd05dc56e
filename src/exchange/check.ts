/**
 * The check of each hop: the operator's word for a named upstream, the policy for everything else.
 *
 * @module
 */
import { abortable } from "@std/async/abortable";
import type { Check, Route } from "../forward/forward.ts";
import type { Decision, Policy } from "../policy/policy.ts";
import { ProxyError } from "../protocol/mod.ts";
import type { Upstream } from "../upstream/registry.ts";

/** Takes a decision on a hop. */
export type Decided = (url: URL, decision: Pick<Decision, "allow" | "reason">) => void;

/** What the check of an exchange's hops works with. */
export interface CheckDeps {
  /** The upstream that the request names. */
  readonly upstream: Upstream | undefined;
  /** Whether a time-out speaks against that upstream. */
  readonly countsTimeouts?: boolean;
  readonly policy: Policy;
  readonly signal: AbortSignal;
  /** Called with every decision, before the hop is made. */
  readonly decided: Decided;
  /** Called before and after a hop is decided on. */
  readonly lookingUp: (isLookingUp: boolean) => void;
  /** Called when a host had to be looked up. */
  readonly lookedUp: (durationMs: number) => void;
}

/** Creates a {@linkcode Check} for the hops of one exchange. */
export function createCheck(
  { upstream, countsTimeouts = true, policy, signal, decided, lookingUp, lookedUp }: CheckDeps,
): Check {
  let isAtUpstream = upstream !== undefined;

  /** Once a redirect has left the upstream, it is a host like any other. */
  function checkUpstream(url: URL, method: string): Route | undefined {
    const decision = isAtUpstream ? upstream?.decide(method, url) : undefined;
    isAtUpstream = decision !== undefined;
    if (upstream === undefined || decision === undefined) return undefined;
    decided(url, decision);
    if (!decision.allow) throw new ProxyError("http_request_denied", decision.message);
    return {
      headers: decision.headers,
      send: (attempt, hop) => upstream.send(attempt, { ...hop, countsTimeouts }),
    };
  }

  function obey(url: URL, decision: Decision): Route {
    decided(url, decision);
    if (!decision.allow) throw new ProxyError(decision.code, decision.message);
    lookingUp(false);
    return decision;
  }

  return function check(url, method): Route | Promise<Route> {
    const route = checkUpstream(url, method);
    lookingUp(route === undefined);
    if (route !== undefined) return route;
    const decision = policy.decide(url);
    if (!(decision instanceof Promise)) return obey(url, decision);
    const startedAt = performance.now();
    return abortable(decision, signal).then((decision: Decision) => {
      lookedUp(performance.now() - startedAt);
      return obey(url, decision);
    });
  };
}
