/**
 * The check of each hop: the operator's word for a named upstream, the policy for everything else.
 *
 * @module
 */
import { abortable } from "@std/async/abortable";
import type { Check, Route } from "../forward/hop.ts";
import type { Decision, Policy } from "../policy/policy.ts";
import { ProxyError } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Upstream } from "../upstream/registry.ts";
import { type Exchange, roundMs } from "./exchange.ts";
import { shorten } from "./record.ts";

/** What decides on hops, and what is told of the decisions. */
export interface CheckDeps {
  readonly policy: Policy;
  readonly telemetry: Telemetry;
}

/**
 * Creates the {@linkcode Check} of one exchange. It keeps the stage of the exchange: `lookup` while a name is looked
 * up, `head` once the hop may be made.
 *
 * @param upstream The upstream that the request names. Once a redirect has left it, it is a host like any other.
 */
export function createCheck(
  exchange: Exchange,
  upstream: Upstream | undefined,
  { policy, telemetry }: CheckDeps,
): Check {
  let isAtUpstream = upstream !== undefined;

  function checkUpstream(url: URL, method: string): Route | undefined {
    const decision = isAtUpstream ? upstream?.decide(method, url) : undefined;
    isAtUpstream = decision !== undefined;
    if (decision === undefined) return undefined;
    note(exchange, url, decision, telemetry);
    if (!decision.allow) throw new ProxyError("http_request_denied", decision.message);
    exchange.stage = "head";
    return { headers: decision.headers, isAtUpstream: true };
  }

  function obey(url: URL, decision: Decision): Route {
    note(exchange, url, decision, telemetry);
    if (!decision.allow) throw new ProxyError(decision.code, decision.message);
    exchange.stage = "head";
    return decision;
  }

  async function obeyLater(url: URL, deciding: Promise<Decision>): Promise<Route> {
    const startedMs = exchange.elapsedMs();
    const decision = await abortable(deciding, exchange.signal);
    exchange.dnsMs = roundMs((exchange.dnsMs ?? 0) + exchange.elapsedMs() - startedMs);
    return obey(url, decision);
  }

  return function check(url, method): Route | Promise<Route> {
    const route = checkUpstream(url, method);
    if (route !== undefined) return route;
    exchange.stage = "lookup";
    const decision = policy.decide(url);
    return decision instanceof Promise ? obeyLater(url, decision) : obey(url, decision);
  };
}

/** Notes a decision in the record of the exchange, and tells of it before the hop is made. */
function note(
  { record }: Exchange,
  url: URL,
  { allow, reason }: Pick<Decision, "allow" | "reason">,
  telemetry: Telemetry,
): void {
  const host = shorten(url.host);
  record.host = host;
  record.decision = allow ? "allow" : "deny";
  record.reason = reason;
  if (allow && !telemetry.wantsAllowedHops) return;
  const { connection, exchange } = record;
  telemetry.emit({ type: "decided", connection, exchange, host, allow, reason });
}
