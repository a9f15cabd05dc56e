/**
 * Decides whether a request may be sent to a URL, by the parsed URL and the addresses that the connection will
 * use. A destination that no rule allows is denied, with a named reason.
 *
 * @module
 */
import { type Address, classifyAddress } from "./address.ts";
import { type Denial, DENIALS, toAddressDenial, toNameDenial } from "./denial.ts";
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
import type { Asker } from "./lookups.ts";
import type { Resolver } from "./resolver.ts";

/** The request may be sent. */
export interface Allowance {
  readonly allow: true;
  /** The rule that allows it, as the operator wrote it. */
  readonly reason: string;
  /** The addresses of the name; the request must connect to one of them. Absent if the host is an address. */
  readonly addresses?: readonly string[];
}

/** Whether a request may be sent. */
export type Decision = Allowance | Denial;

/** Decides which destinations requests may be sent to. */
export interface Policy {
  /**
   * Decides on one hop. Returns a promise only if a name has to be looked up.
   *
   * @param asker Who waits for the lookup. Default: the service itself.
   * @throws {ProxyError} `dns_error`, as a rejection.
   */
  decide(url: URL, asker?: Asker): Decision | Promise<Decision>;
}

/** The operator's rules. */
export interface PolicyRules {
  readonly allowHosts: readonly HostRule[];
  /** Takes precedence over `allowHosts`. */
  readonly denyHosts: readonly HostRule[];
  /** The ports of rules that do not name one. */
  readonly allowPorts: readonly number[];
}

/** A decision, or a function that completes it by the addresses of a name. */
type Prepared = Decision | ((asker: Asker | undefined) => Decision | Promise<Decision>);

// How many hosts are remembered; clients may name any number.
const MAX_PREPARED = 1000;

/** Creates a {@linkcode Policy}. */
export function createPolicy(
  { allowHosts, denyHosts, allowPorts }: PolicyRules,
  { resolver }: { readonly resolver: Resolver },
): Policy {
  const ports: ReadonlySet<number> = new Set(allowPorts);

  /** Returns the rules that allow this destination if its addresses are right. */
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

  /** Decides on a destination and its addresses, each of which must be allowed. */
  function decideOnAddresses(
    destination: Destination,
    { rules, addresses }: {
      readonly rules: readonly HostRule[];
      readonly addresses: readonly Address[];
    },
  ): Decision {
    const named = rules.find((rule) => matchesName(rule, destination.host));
    let reason: HostRule | undefined;
    for (const address of addresses) {
      if (isDenied(destination, (rule) => deniesAddress(rule, address))) return DENIALS.denyList;
      reason = named ?? rules.find((rule) => allowsAddress(rule, address));
      if (reason === undefined) return toAddressDenial(address);
    }
    if (reason === undefined) return DENIALS.notListed; // the name has no address
    return {
      allow: true,
      reason: reason.text,
      ...(destination.literal === undefined && { addresses: addresses.map(String) }),
    };
  }

  /** Returns the part of a decision that is the same for all requests to a scheme, host and port. */
  function prepare(url: URL): Prepared {
    const destination = toDestination(url);
    const { host, port, literal } = destination;
    if (port === 0) return DENIALS.portZero;
    if (isDenied(destination, (rule) => matchesName(rule, host))) return DENIALS.denyList;
    const rules = rulesFor(destination);
    if (rules.length === 0) return toNameDenial(destination, { allowHosts, ports });
    if (literal !== undefined) {
      return decideOnAddresses(destination, { rules, addresses: [literal] });
    }
    let lastAddresses: readonly Address[] | undefined;
    let lastDecision: Decision = DENIALS.notListed;
    /** Decides again only on another list: the resolver returns the same list while it is cached. */
    const decide = (addresses: readonly Address[]): Decision => {
      if (addresses !== lastAddresses) {
        lastDecision = decideOnAddresses(destination, { rules, addresses });
      }
      lastAddresses = addresses;
      return lastDecision;
    };
    return (asker) => {
      const addresses = resolver.resolve(host, asker);
      return addresses instanceof Promise ? addresses.then(decide) : decide(addresses);
    };
  }

  const prepared = new Map<string, Prepared>();

  return {
    decide(url, asker): Decision | Promise<Decision> {
      const { protocol, host } = url;
      if (protocol !== "http:" && protocol !== "https:") return DENIALS.scheme;
      if (url.username !== "" || url.password !== "") return DENIALS.userinfo;
      const key = protocol + host;
      let found = prepared.get(key);
      if (found === undefined) {
        if (prepared.size >= MAX_PREPARED) prepared.clear();
        prepared.set(key, found = prepare(url));
      }
      return typeof found === "function" ? found(asker) : found;
    },
  };
}

function allowsAddress(rule: HostRule, address: Address): boolean {
  return matchesAddress(rule, address) ||
    rule.kind === "public" && classifyAddress(address) === "public";
}

function deniesAddress(rule: HostRule, address: Address): boolean {
  return allowsAddress(rule, address) || matchesCarriedAddress(rule, address);
}
