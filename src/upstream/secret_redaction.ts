/**
 * The secrets of the service, out of every text that it writes.
 *
 * @module
 */
import type { UpstreamDefinition } from "./definition.ts";
import { createRedactor, type Redactor } from "./redact.ts";

/** Takes secrets out of texts. */
export interface SecretRedaction {
  /** Takes the secrets of upstreams too, from now on; none is forgotten. */
  know(definitions: readonly Pick<UpstreamDefinition, "secrets">[]): void;
  /** How many secrets are taken out. */
  readonly version: number;
  /** Gives a text without the secrets. */
  redact(text: string): string;
}

/** Creates a {@linkcode SecretRedaction} that knows some secrets. */
export function createSecretRedaction(known: readonly string[]): SecretRedaction {
  const secrets = new Set(known);
  let redactor: Redactor | undefined;
  let version = 0;
  return {
    know(definitions): void {
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
