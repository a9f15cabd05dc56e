/**
 * TLS sockets that were closed here but that their peers keep from being closed, counted by network.
 *
 * @module
 */
import ipaddr from "ipaddr.js";

// A peer that keeps so many sockets is not connected to any more.
const MAX_PER_NETWORK = 64;
// One customer has a network of this size at least (RFC 6177).
const IPV6_NETWORK_BYTES = 8;

/** Counts sockets that are being closed. */
export class ClosingSockets {
  #count = 0;
  readonly #networks = new Map<string, number>();

  /** How many sockets are being closed. */
  get count(): number {
    return this.#count;
  }

  /** Reports whether so many sockets to the network of an address are being closed that no more should be opened. */
  isFull(address: string): boolean {
    return this.#count > 0 && (this.#networks.get(networkOf(address)) ?? 0) >= MAX_PER_NETWORK;
  }

  add(address: string): void {
    this.#count++;
    const network = networkOf(address);
    this.#networks.set(network, (this.#networks.get(network) ?? 0) + 1);
  }

  delete(address: string): void {
    this.#count--;
    const network = networkOf(address);
    const left = (this.#networks.get(network) ?? 0) - 1;
    if (left > 0) this.#networks.set(network, left);
    else this.#networks.delete(network);
  }
}

/** Returns an IPv4 address, or a name, as it is, and the first half of an IPv6 address. */
function networkOf(address: string): string {
  if (!address.includes(":") || !ipaddr.isValid(address)) return address;
  return ipaddr.parse(address).toByteArray().slice(0, IPV6_NETWORK_BYTES).join(".");
}
