/**
 * The check of each hop before it is made: a named upstream is decided on by its definition, any other host by the
 * policy.
 *
 * @module
 */
import { abortable } from "@std/async/abortable";
import type { Check, Route } from "../forward/hop.ts";
import { overridingMethods } from "../http/override.ts";
import type { Decision, Policy } from "../policy/policy.ts";
import { ProxyError } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Upstream, UpstreamDecision } from "../upstream/registry.ts";
import { type Exchange, roundMs } from "./exchange.ts";
import { shorten } from "./record.ts";

/**
 * Creates the {@linkcode Check} of one exchange. The check sets the stage of the exchange: `lookup` while a name is
 * looked up, `head` once the hop may be made. A transport that waits for a connection sets `connect` in between.
 *
 * @param upstream The upstream that the request names. Once a redirect has led elsewhere, the policy decides on the
 * host of the upstream too.
 */
export function createCheck(
  exchange: Exchange,
  upstream: Upstream | undefined,
  { policy, telemetry }: { readonly policy: Policy; readonly telemetry: Telemetry },
): Check {
  const overriding = upstream && overridingMethods(exchange.request.headers);
  let isAtUpstream = upstream !== undefined;

  /** Decides on the method of the hop, and on each that the upstream may use instead. */
  function decide(url: URL, method: string): UpstreamDecision | undefined {
    for (const each of overriding ?? []) {
      const decision = upstream?.decide(each, url);
      if (decision?.allow === false) return decision;
    }
    return upstream?.decide(method, url);
  }

  function checkUpstream(url: URL, method: string): Route | undefined {
    const decision = isAtUpstream ? decide(url, method) : undefined;
    isAtUpstream = decision !== undefined;
    if (decision === undefined) return undefined;
    note(exchange, url, decision, telemetry);
    if (!decision.allow) throw new ProxyError("http_request_denied", decision.message);
    exchange.stage = "head";
    return { headers: decision.headers, upstream: decision.route };
  }

  function toRoute(url: URL, decision: Decision): Route {
    note(exchange, url, decision, telemetry);
    if (!decision.allow) throw new ProxyError(decision.code, decision.message);
    exchange.stage = "head";
    return decision;
  }

  async function toRouteLater(url: URL, deciding: Promise<Decision>): Promise<Route> {
    const startedMs = exchange.elapsedMs();
    const decision = await abortable(deciding, exchange.signal);
    exchange.dnsMs = roundMs((exchange.dnsMs ?? 0) + exchange.elapsedMs() - startedMs);
    return toRoute(url, decision);
  }

  return function check(url, method): Route | Promise<Route> {
    const route = checkUpstream(url, method);
    if (route !== undefined) return route;
    exchange.stage = "lookup";
    const decision = policy.decide(url, exchange);
    return decision instanceof Promise ? toRouteLater(url, decision) : toRoute(url, decision);
  };
}

/** Records a decision with its exchange and reports it, before the hop is made. */
function note(
  { record }: Exchange,
  url: URL,
  { allow, reason }: Decision | UpstreamDecision,
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
