/**
 * Removes the secrets of the service from the texts that it writes.
 *
 * @module
 */
import { createRedactor, type Redactor } from "./redact.ts";

/** Removes secrets from texts. */
export interface SecretRedaction {
  /** Adds the secrets of upstreams. Secrets that were added before are kept. */
  addSecretsOf(definitions: readonly { readonly secrets: readonly string[] }[]): void;
  /** A number that changes when secrets are added: a text without secrets may then contain one. */
  readonly version: number;
  /** Returns a text with its secrets replaced by `[redacted]`. */
  redact(text: string): string;
}

/**
 * Creates a {@linkcode SecretRedaction}.
 *
 * @param known Other secrets. They are removed as soon as `addSecretsOf` has been called.
 */
export function createSecretRedaction(known: readonly string[]): SecretRedaction {
  const secrets = new Set(known);
  let redactor: Redactor | undefined;
  let version = 0;
  return {
    addSecretsOf(definitions): void {
      for (const secret of definitions.flatMap(({ secrets }) => secrets)) secrets.add(secret);
      redactor = createRedactor([...secrets]);
      version = secrets.size;
    },
    get version(): number {
      return version;
    },
    redact: (text) => redactor === undefined ? text : redactor(text),
  };
}
