/** Texts that can be secret, and a search for them in any spelling. */
import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";

export type Secrets = Readonly<Record<string, string>>;

/** A token (RFC 6750) that looks different in every encoding. */
const mark = (name: string): string => `${name}/Mk+Qj7~${name}-0123456789abcdefghijkl`;

/** What the operator configures. */
export const CONFIGURED = {
  alice: mark("alice"),
  bob: mark("bob"),
  carol: mark("carol"),
  carolDigest: createHash("sha256").update(mark("carol")).digest("hex"),
  dave: mark("dave"),
  jwt: mark("jwt"),
  env: mark("env"),
  file: mark("file"),
  inline: mark("inline"),
  password: mark("password"),
} as const;

/** Short enough to be quoted whole by a JSON parser that complains of it. */
export const SHORT = "Sh0/rt+k";

/** What clients bring, beside that. */
export const OWN = {
  bearer: mark("own-bearer"),
  cookie: mark("own-cookie"),
  key: mark("own-key"),
  path: mark("own-path"),
  query: mark("own-query"),
  body: mark("own-body"),
  userinfo: mark("own-userinfo"),
  wrong: mark("wrong"),
  inBand: mark("in-band"),
} as const;

/** How a text may be spelled. */
function formsOf(text: string): readonly string[] {
  const bytes = new TextEncoder().encode(text);
  const percent = encodeURIComponent(text);
  // What stands before it in base64 shifts it by up to two bytes; its ends may be mixed with others.
  const base64 = [0, 1, 2].flatMap((shift) => {
    const shifted = new Uint8Array([...new Array(shift).fill(0), ...bytes]);
    const end = (shifted.length % 3) === 0 ? undefined : -1;
    return (["base64", "base64url"] as const).map((alphabet) =>
      shifted.toBase64({ alphabet, omitPadding: true }).slice([0, 2, 3][shift], end)
    );
  });
  return [
    text,
    percent,
    percent.replace(/%../g, (digits) => digits.toLowerCase()),
    percent.replaceAll("%2F", "/"),
    bytes.toHex(),
    ...base64,
  ];
}

/** Names the secrets that stand in a text, in whatever spelling. */
export function findLeaks(text: string, secrets: Secrets): readonly string[] {
  return Object.entries(secrets)
    .filter(([, secret]) => formsOf(secret).some((form) => text.includes(form)))
    .map(([name]) => name);
}

export function assertSilent(text: string, secrets: Secrets, what: string): void {
  assertEquals(findLeaks(text, secrets), [], `${what}: ${text.slice(0, 2000)}`);
}
