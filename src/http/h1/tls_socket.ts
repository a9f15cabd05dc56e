/**
 * A TLS connection as a {@linkcode Tcp}, which ends at once for its user although Deno ends it later.
 *
 * Deno keeps a TLS socket that was closed until its handshake has ended and the peer has taken what was written. A peer
 * that does neither would hold any number of sockets; here they are counted.
 *
 * @module
 */
import type { ClosingSockets } from "./closing_sockets.ts";
import type { Tcp } from "./connection.ts";

/** Where a TLS connection leads, and where it is counted while it is being closed. */
export interface TlsSocketOptions {
  readonly address: string;
  readonly closing: ClosingSockets;
}

/** A TLS connection. */
export class TlsSocket implements Tcp {
  readonly #connection: Deno.TlsConn;
  readonly #options: TlsSocketOptions;
  #isClosed = false;
  /** Rejects the promise that is waited for. */
  #reject: ((reason: unknown) => void) | undefined = undefined;

  constructor(connection: Deno.TlsConn, options: TlsSocketOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /**
   * Makes the handshake.
   *
   * @throws What Deno throws; or `Deno.errors.Interrupted` when the socket is closed meanwhile.
   */
  async handshake(): Promise<void> {
    await this.#until(this.#connection.handshake());
  }

  read(memory: Uint8Array): Promise<number | null> {
    return this.#until(this.#connection.read(memory));
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#connection.write(bytes);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reject?.(new Deno.errors.Interrupted("The connection was closed"));
    const { closing, address } = this.#options;
    closing.add(address);
    const end = (): void => {
      closing.delete(address);
      this.#connection.close();
    };
    this.#connection.closeWrite().then(end, end); // after the handshake, and after all that was written
  }

  /** Returns the same promise, except that it is rejected when the socket is closed. */
  #until<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      promise.then(resolve, reject);
    });
  }
}
