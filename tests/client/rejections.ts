/**
 * Reads the reasons with which calls reject.
 *
 * @module
 */
import { ProxyError } from "../../src/client/mod.ts";

/** Returns the `ProxyError` that is the cause of the `TypeError` with which the call rejects. */
export async function failureOf(call: Promise<unknown>): Promise<ProxyError> {
  const error = await rejectionOf(call);
  if (error instanceof TypeError && error.cause instanceof ProxyError) return error.cause;
  throw new Error("The call rejected with another reason", { cause: error });
}

/** Returns the reason with which the call rejects. */
export async function rejectionOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error("The call did not reject");
}
