/**
 * Looks at how a call was rejected.
 *
 * @module
 */
import { ProxyError } from "../../src/client/mod.ts";

/** Gives the `ProxyError` that is the cause of the `TypeError` with which a call rejects. */
export async function failureOf(call: Promise<unknown>): Promise<ProxyError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof TypeError && error.cause instanceof ProxyError) return error.cause;
    throw new Error("The call was rejected with something else", { cause: error });
  }
  throw new Error("The call was not rejected");
}

/** Gives what a call rejects with. */
export async function rejectionOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error("The call was not rejected");
}
