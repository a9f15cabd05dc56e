/**
 * Verifies the signature and the claims of a JSON Web Token with a key set, whose keys may change at any time.
 *
 * @module
 */
import {
  type CryptoKey,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from "jose";
import type { KeySet } from "./key_set.ts";

/**
 * Returns the claims of a token. If its key is unknown, it may be a new one: the key set is fetched again, and the
 * token is refused only if a fetch that started after this call does not contain the key.
 *
 * @throws The error of jose as a rejection, or a `ProxyError` if the keys cannot be fetched.
 */
export async function verifyByKeySet(
  token: string,
  keySet: KeySet,
  rules: JWTVerifyOptions,
): Promise<JWTPayload> {
  const startedBefore = keySet.started();
  let loaded = 0;
  const find: JWTVerifyGetKey<CryptoKey> = async (header, input) => {
    await keySet.prepare();
    loaded = keySet.loaded();
    return await keySet.find(header, input);
  };
  for (;;) {
    try {
      return await verify(token, find, rules);
    } catch (error) {
      if (!isKeyUnknown(error, token) || loaded > startedBefore) throw error;
    }
    await keySet.load();
  }
}

async function verify(
  token: string,
  find: JWTVerifyGetKey<CryptoKey>,
  rules: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, find, rules)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    // A token without "kid" may be signed with any key of its kind.
    for await (const key of error) {
      try {
        return (await jwtVerify(token, key, rules)).payload;
      } catch (reason) {
        if (!(reason instanceof errors.JWSSignatureVerificationFailed)) throw reason;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function isKeyUnknown(error: unknown, token: string): boolean {
  return error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWSSignatureVerificationFailed &&
      decodeProtectedHeader(token).kid === undefined;
}
