/**
 * What an attack is, and what it works with.
 *
 * @module
 */
import type { PeerOptions, PeerSocket } from "./peer_socket.ts";

/** How often something happened, by its name. */
export type Counts = Readonly<Record<string, number>>;

/** An attacker's side of the service. It lives in a process of its own. */
export interface Attacker {
  readonly port: number;
  readonly token: string | undefined;
  /** `http://…` of the hostile destination, without a slash. */
  readonly origin: string;
  readonly destinationPort: number;
  /** Aborted when the attack is over. */
  readonly signal: AbortSignal;
  /** Connects. What the service tells this connection is counted; the end of the attack closes it. */
  connect(options?: Omit<PeerOptions, "port" | "token">): Promise<PeerSocket>;
  /** Counts something that the service told the attacker. */
  tell(what: string): void;
  /** Says that the first wave is out. */
  underWay(): void;
}

/** Where the service runs during an attack. */
export type Surroundings = "plain" | "unread log" | "few descriptors" | "silent resolver";

/** An attack. */
export interface Attack {
  readonly name: string;
  /** What the attacker does, in words. */
  readonly does: string;
  /** Whether the service is known to withstand it. Only then CI runs it. */
  readonly held: boolean;
  /** Default: 10. */
  readonly seconds?: number;
  /**
   * How long the attack goes on in CI before victims are looked at, in milliseconds. Default: until its first wave is
   * out.
   */
  readonly waveMs?: number;
  /** Settings of the service besides `ALLOW_HOSTS`, `MEMORY_BYTES` and `WORKERS`. */
  readonly settings?: (destination: string) => Readonly<Record<string, string>>;
  /** Default: `plain`. */
  readonly surroundings?: Surroundings;
  /** The host in the victim's URLs. Default: 127.0.0.1. */
  readonly victimHost?: "localhost";
  /** Whether new connections of the attacker's identity may be refused meanwhile. */
  readonly takesPlaces?: boolean;
  /** How many descriptors the service may have open. Default: any number. */
  readonly maxDescriptors?: number;
  /** What the service has to tell the attacker at least once, one of these. */
  readonly told?: readonly string[];
  /** Attacks until the signal is aborted, or until there is nothing more to do. */
  readonly run: (attacker: Attacker) => Promise<void>;
}
