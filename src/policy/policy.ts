/**
 * May a request go there? Decided on the parsed URL and on the addresses that the connection will use;
 * what no rule allows is denied, and the reason has a name.
 *
 * @module
 */
import type { ErrorCode } from "../protocol/mod.ts";
import { type Address, type AddressClass, classifyAddress } from "./address.ts";
import {
  type Destination,
  type HostRule,
  isLocalName,
  matchesAddress,
  matchesCarriedAddress,
  matchesName,
  matchesPort,
  toDestination,
} from "./destination.ts";
import type { Resolver } from "./resolver.ts";

/** Why a request may not go there: a class of addresses, or what is wrong before addresses matter. */
export type DenialReason =
  | Exclude<AddressClass, "public">
  | "scheme"
  | "userinfo"
  | "port"
  | "local-name"
  | "not-listed"
  | "deny-list";

/** A request may go there. */
export interface Allowance {
  readonly allow: true;
  /** The rule that allows it. */
  readonly reason: string;
  /** What the name resolved to, to connect to and nowhere else; absent for an address. */
  readonly addresses?: readonly string[];
}

/** A request may not go there. */
export interface Denial {
  readonly allow: false;
  readonly reason: DenialReason;
  readonly code: Extract<ErrorCode, "http_request_denied" | "destination_ip_prohibited">;
  /** For the client: names the class, never a resolved address. */
  readonly message: string;
}

/** The answer of a policy. */
export type Decision = Allowance | Denial;

/** Decides where requests may go. */
export interface Policy {
  /**
   * Decides on one hop; at once when the name needs no lookup.
   *
   * @throws {ProxyError} `dns_error`, as a rejection.
   */
  decide(url: URL): Decision | Promise<Decision>;
}

/** What a policy goes by. */
export interface PolicyOptions {
  readonly allowHosts: readonly HostRule[];
  /** Wins over `allowHosts`. */
  readonly denyHosts: readonly HostRule[];
  /** The ports of the rules that name none. */
  readonly allowPorts: readonly number[];
}

/** Creates a policy. */
export function createPolicy(
  { allowHosts, denyHosts, allowPorts }: PolicyOptions,
  { resolver }: { readonly resolver: Resolver },
): Policy {
  const ports: ReadonlySet<number> = new Set(allowPorts);

  /** The rules that can allow this destination, if the addresses are right. */
  function rulesFor({ host, port, literal }: Destination): readonly HostRule[] {
    const portAllowed = ports.has(port);
    const isPublicName = literal !== undefined || !isLocalName(host);
    return allowHosts.filter((rule) =>
      matchesPort(rule, port, portAllowed) &&
      (rule.kind === "range" || rule.kind === "public" && isPublicName || matchesName(rule, host))
    );
  }

  function isDenied(destination: Destination, matches: (rule: HostRule) => boolean): boolean {
    return denyHosts.some((rule) => matchesPort(rule, destination.port, true) && matches(rule));
  }

  /** Decides once the addresses are known: every one of them has to be allowed. */
  function judge(
    destination: Destination,
    rules: readonly HostRule[],
    addresses: readonly Address[],
  ): Decision {
    const named = rules.find((rule) => matchesName(rule, destination.host));
    let reason: HostRule | undefined;
    for (const address of addresses) {
      if (isDenied(destination, (rule) => deniesAddress(rule, address))) return DENIALS.denyList;
      reason = named ?? rules.find((rule) => allowsAddress(rule, address));
      if (reason === undefined) return toAddressDenial(address);
    }
    if (reason === undefined) return DENIALS.notListed; // there was no address
    return {
      allow: true,
      reason: reason.text,
      ...(destination.literal === undefined && { addresses: addresses.map(String) }),
    };
  }

  /** What does not change from one request for a host and port to the next. */
  function prepare(url: URL): (() => Decision | Promise<Decision>) | Decision {
    const destination = toDestination(url);
    const { host, port, literal } = destination;
    if (port === 0) return DENIALS.portZero;
    if (isDenied(destination, (rule) => matchesName(rule, host))) return DENIALS.denyList;
    const rules = rulesFor(destination);
    if (rules.length === 0) return toNameDenial(destination, allowHosts, ports);
    if (literal !== undefined) return judge(destination, rules, [literal]);
    let judged: readonly Address[] | undefined;
    let decision: Decision = DENIALS.notListed;
    /** The resolver gives the same list as long as it remembers it. */
    const judgeOnce = (addresses: readonly Address[]): Decision => {
      if (addresses !== judged) decision = judge(destination, rules, addresses);
      judged = addresses;
      return decision;
    };
    return () => {
      const addresses = resolver.resolve(host);
      return addresses instanceof Promise ? addresses.then(judgeOnce) : judgeOnce(addresses);
    };
  }

  const prepared = new Map<string, ReturnType<typeof prepare>>();

  return {
    decide(url: URL): Decision | Promise<Decision> {
      const { protocol, host } = url;
      if (protocol !== "http:" && protocol !== "https:") return DENIALS.scheme;
      if (url.username !== "" || url.password !== "") return DENIALS.userinfo;
      const key = protocol + host;
      let found = prepared.get(key);
      if (found === undefined) {
        if (prepared.size >= MAX_PREPARED) prepared.clear();
        prepared.set(key, found = prepare(url));
      }
      return typeof found === "function" ? found() : found;
    },
  };
}

// Hosts that are remembered; a client may name any number.
const MAX_PREPARED = 1000;

const DENIALS = {
  scheme: deny("scheme", "Only http and https URLs can be requested"),
  userinfo: deny(
    "userinfo",
    "The URL holds a user name or password; send an authorization header instead",
  ),
  portZero: deny("port", "Port 0 cannot be connected to"),
  denyList: deny("deny-list", "The destination is on the deny list of this service"),
  localName: deny(
    "local-name",
    "The host is a local name, which this service does not connect to; its operator can list it in ALLOW_HOSTS",
  ),
  notListed: deny(
    "not-listed",
    "The host is not one that this service connects to; its operator can list it in ALLOW_HOSTS",
  ),
} as const;

function deny(reason: DenialReason, message: string): Denial {
  return { allow: false, code: "http_request_denied", reason, message };
}

function allowsAddress(rule: HostRule, address: Address): boolean {
  return matchesAddress(rule, address) ||
    rule.kind === "public" && classifyAddress(address) === "public";
}

function deniesAddress(rule: HostRule, address: Address): boolean {
  return allowsAddress(rule, address) || matchesCarriedAddress(rule, address);
}

/** Why an address is denied although some rule could have allowed it. */
function toAddressDenial(address: Address): Denial {
  const addressClass = classifyAddress(address);
  if (addressClass === "public") return DENIALS.notListed;
  return {
    allow: false,
    code: "destination_ip_prohibited",
    reason: addressClass,
    message: `The destination has an address of the class "${addressClass}", which this service ` +
      "does not connect to; its operator can list it in ALLOW_HOSTS",
  };
}

/** Why a destination is denied for which no rule could count. */
function toNameDenial(
  { host, port, literal }: Destination,
  allowHosts: readonly HostRule[],
  ports: ReadonlySet<number>,
): Denial {
  const reachable = allowHosts.some((rule) => rule.kind === "public" || matchesName(rule, host));
  if (reachable && !ports.has(port)) {
    return deny(
      "port",
      `Port ${port} is not one that this service connects to; allowed: ${[...ports].join(", ")}`,
    );
  }
  return literal === undefined && isLocalName(host) ? DENIALS.localName : DENIALS.notListed;
}
