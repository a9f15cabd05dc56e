import type { ProxyError } from "../protocol/mod.ts";
import { handshakeFailed } from "./failures.ts";

export function toTlsFailure(thrown: unknown): ProxyError {
  return handshakeFailed({ cause: thrown });
}
