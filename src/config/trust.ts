/**
 * The authorities that Deno trusts for `https:` URLs: Mozilla's, unless `DENO_CERT`, `--cert`, `DENO_TLS_CA_STORE`,
 * `SSL_CERT_FILE` or `NODE_EXTRA_CA_CERTS` say otherwise. All connections of the service trust the same.
 *
 * @module
 */
import { ConfigError } from "../config_error.ts";

/**
 * Loads the authorities, which Deno otherwise does for the first connection.
 *
 * @throws {ConfigError} They cannot be loaded, so that every request to an `https:` URL would fail.
 */
export function loadTrust(
  create: (options: Deno.CreateHttpClientOptions) => Disposable = Deno.createHttpClient,
): void {
  try {
    using _client = create({});
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError([`DENO_CERT, DENO_TLS_CA_STORE, SSL_CERT_FILE: ${reason}`]);
  }
}
