/**
 * Static tokens: each belongs to a name. Only their SHA-256 digests are kept in memory.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isBearerToken } from "../protocol/mod.ts";
import type { CredentialCheck, Identity } from "./authenticator.ts";

/** A token that is valid. */
export interface TokenRule {
  /** The owner of the token: the subject of the identity. */
  readonly name: string;
  /** The SHA-256 digest of the token, 32 bytes. */
  readonly digest: Uint8Array;
}

const NAME = /^[!-+\--9;-~]{1,255}$/; // visible ASCII without "," and ":"
const DIGEST_PREFIX = "sha256:";
const DIGEST = /^[0-9a-f]{64}$/i;

/**
 * Parses `name:token`, or `name:sha256:<64 hexadecimal digits>` with the digest of the token.
 *
 * @throws {TypeError} The text has neither form. The message never contains the token.
 */
export function parseTokenRule(text: string): TokenRule {
  const end = text.indexOf(":");
  // The text is not quoted: it may be a token without a name.
  if (end === -1) throw new TypeError('A token needs a name: write "name:token"');
  const name = text.slice(0, end);
  const value = text.slice(end + 1);
  if (!NAME.test(name)) {
    throw new TypeError(
      'The name of a token must be 1 to 255 visible ASCII characters without ":" and ","',
    );
  }
  if (name.toLowerCase() === "sha256") {
    // The digest would be used as the token.
    throw new TypeError('A token needs a name before "sha256:": write "name:sha256:digest"');
  }
  return { name, digest: toDigest(value, name) };
}

/**
 * Creates a check of static tokens. A name may have several tokens, so that they can be replaced one by one.
 *
 * @throws {TypeError} Two names have the same token.
 */
export function createTokenCheck(rules: readonly TokenRule[]): CredentialCheck {
  refuseSharedTokens(rules);
  return function checkToken(token: string): Identity | undefined {
    const digest = hash(token);
    let subject: string | undefined;
    // All rules are compared, so that the time does not tell which of them matches.
    for (const rule of rules) if (timingSafeEqual(rule.digest, digest)) subject = rule.name;
    return subject === undefined ? undefined : { subject };
  };
}

/**
 * Checks that no two names have the same token.
 *
 * @throws {TypeError} Two names have the same token; the message contains the names.
 */
export function refuseSharedTokens(rules: readonly TokenRule[]): void {
  const names = new Map<string, string>();
  for (const { name, digest } of rules) {
    const key = digest.toHex();
    const other = names.get(key) ?? name;
    if (other !== name) {
      throw new TypeError(
        `${JSON.stringify(other)} and ${
          JSON.stringify(name)
        } have the same token; give each its own`,
      );
    }
    names.set(key, name);
  }
}

function toDigest(value: string, name: string): Uint8Array {
  if (value.startsWith(DIGEST_PREFIX)) {
    const hex = value.slice(DIGEST_PREFIX.length);
    if (DIGEST.test(hex)) return Uint8Array.fromHex(hex);
    throw new TypeError(`The digest of ${JSON.stringify(name)} must be 64 hexadecimal digits`);
  }
  if (isBearerToken(value)) return hash(value);
  throw new TypeError(
    `The token of ${
      JSON.stringify(name)
    } must be 1 to 8192 letters, digits and "-._~+/", then any number of "="`,
  );
}

function hash(token: string): Uint8Array {
  return Uint8Array.from(createHash("sha256").update(token).digest());
}
