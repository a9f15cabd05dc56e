/**
 * Why a request may not be sent: the denials of a policy, each with a named reason and a message for the client.
 *
 * @module
 */
import { type Address, classifyAddress, type SpecialAddressClass } from "./address.ts";
import { type Destination, type HostRule, isLocalName, matchesName } from "./destination.ts";

/** Why a request is denied: the class of an address, or a reason that does not depend on addresses. */
export type DenialReason =
  | SpecialAddressClass
  | "scheme"
  | "userinfo"
  | "port"
  | "local-name"
  | "not-listed"
  | "deny-list";

/** The request must not be sent. */
export interface Denial {
  readonly allow: false;
  readonly reason: DenialReason;
  readonly code: "http_request_denied" | "destination_ip_prohibited";
  /** For the client; never contains a resolved address. */
  readonly message: string;
}

/** The denials that say the same for every request. */
export const DENIALS = {
  scheme: deny("scheme", "Only http and https URLs can be requested"),
  userinfo: deny(
    "userinfo",
    "The URL contains a user name or password; send an authorization header instead",
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

/** Returns the denial of an address that no rule allows, though rules match the name or the port. */
export function toAddressDenial(address: Address): Denial {
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

/** Returns the denial of a destination that no rule can allow, whatever its addresses are. */
export function toNameDenial(
  { host, port, literal }: Destination,
  { allowHosts, ports }: {
    readonly allowHosts: readonly HostRule[];
    readonly ports: ReadonlySet<number>;
  },
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

function deny(reason: DenialReason, message: string): Denial {
  return { allow: false, code: "http_request_denied", reason, message };
}
