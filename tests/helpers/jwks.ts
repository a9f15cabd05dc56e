/**
 * A server of a JSON Web Key Set whose keys come and go, and which signs tokens with them.
 *
 * ```ts ignore
 * await using jwks = await startJwks();
 * const config = { JWT_JWKS_URL: jwks.url.href };
 * const token = await jwks.sign({ sub: "alice" });
 * await jwks.addKey("new"); // from here on sign() uses it
 * ```
 *
 * @module
 */
import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWK } from "jose";
import { startHttp } from "./upstream.ts";

/** How to start. */
export interface JwksOptions {
  /** The algorithm of the first key, `key-1`. Default: ES256, whose keys are made fast. */
  readonly alg?: string;
}

/** How to sign, other than with the newest key. */
export interface SignOptions {
  /** The key to sign with and to name. One that there never was is named, and the newest key signs. */
  readonly kid?: string;
  /** Instead of the algorithm that the key was made for. */
  readonly alg?: string;
  /** Instead of the key that is named. */
  readonly key?: CryptoKey | Uint8Array;
  /** Further parameters of the header; `undefined` leaves out what would be there (`{ kid: undefined }`). */
  readonly header?: Readonly<Record<string, unknown>>;
}

/** A running server. Its requests are counted, and answered as {@linkcode JwksServer.answer} says. */
export interface JwksServer extends AsyncDisposable {
  /** Where the set is. */
  readonly url: URL;
  /** The requests that have come so far, answered or not. */
  readonly requests: () => number;
  /** Fulfils when so many requests have come. */
  readonly requested: (count: number) => Promise<void>;
  /** The public keys that are published, the newest last. */
  readonly keys: () => readonly JWK[];
  /** Makes a key, publishes it, and has {@linkcode JwksServer.sign} use it. Default: ES256. */
  readonly addKey: (kid: string, alg?: string) => Promise<void>;
  /** Publishes this key no longer; `sign` can still use it by its name. */
  readonly removeKey: (kid: string) => void;
  /** Publishes a new key in place of all that are published. */
  readonly rotate: (kid: string, alg?: string) => Promise<void>;
  /**
   * From now on: `keys` serves the set, `fail` answers 500, `garbage` answers what is no key set, `hang`
   * does not answer until something else is chosen, which those who wait then get.
   */
  readonly answer: (answer: JwksAnswer) => void;
  /** Closes the server: from now on connections are refused. Disposal does it too. */
  readonly close: () => Promise<void>;
  /**
   * Signs a JWT. The claims are added to `sub: "alice"` and an `exp` in five minutes; `undefined` leaves
   * one out (`{ exp: undefined }`); a text is signed as the payload that it is. A `crit` in the header is signed as it is.
   */
  readonly sign: (
    claims?: Readonly<Record<string, unknown>> | string,
    options?: SignOptions,
  ) => Promise<string>;
}

/** What the server does with a request. */
export type JwksAnswer = "keys" | "fail" | "garbage" | "hang";

interface Signer {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

/** Starts a server with one key, `key-1`. */
export async function startJwks({ alg = "ES256" }: JwksOptions = {}): Promise<JwksServer> {
  const first = await createSigner("key-1", alg);
  const signers = new Map<string, Signer>([[first.kid, first]]);
  let newest = first;
  let published: readonly Signer[] = [first];
  let answer: JwksAnswer = "keys";
  let released = Promise.withResolvers<void>();
  let requests = 0;
  const watchers: { readonly count: number; resolve(): void }[] = [];
  const keys = (): JWK[] => published.map(({ jwk }) => jwk);

  const server = startHttp(async () => {
    requests++;
    for (const { count, resolve } of watchers) if (requests >= count) resolve();
    while (answer === "hang") await released.promise;
    if (answer === "fail") return new Response("The server is broken", { status: 500 });
    return Response.json(answer === "garbage" ? { keys: "none" } : { keys: keys() });
  });

  async function add(kid: string, alg: string | undefined, others: boolean): Promise<void> {
    newest = await createSigner(kid, alg ?? "ES256");
    signers.set(kid, newest);
    published = [...(others ? published : []), newest];
  }

  function choose(next: JwksAnswer): void {
    answer = next;
    released.resolve();
    released = Promise.withResolvers();
  }

  let closing: Promise<void> | undefined;
  function close(): Promise<void> {
    if (answer === "hang") choose("fail"); // else the server waits for its handlers
    return closing ??= Promise.resolve(server[Symbol.asyncDispose]());
  }

  return {
    url: new URL(`${server.origin}/jwks.json`),
    requests: () => requests,
    requested(count): Promise<void> {
      if (requests >= count) return Promise.resolve();
      return new Promise((resolve) => watchers.push({ count, resolve }));
    },
    keys,
    addKey: (kid, alg) => add(kid, alg, true),
    removeKey(kid): void {
      published = published.filter((signer) => signer.kid !== kid);
    },
    rotate: (kid, alg) => add(kid, alg, false),
    answer: choose,
    close,
    sign(claims = {}, { kid, alg, key, header = {} } = {}): Promise<string> {
      const signer = signers.get(kid ?? newest.kid) ?? newest;
      const exp = Math.floor(Date.now() / 1000) + 300;
      const payload = typeof claims === "string"
        ? claims
        : JSON.stringify({ sub: "alice", exp, ...claims });
      return new CompactSign(new TextEncoder().encode(payload))
        .setProtectedHeader({ alg: alg ?? signer.alg, kid: kid ?? signer.kid, ...header })
        .sign(key ?? signer.privateKey, { crit: toCrit(header["crit"]) });
    },
    [Symbol.asyncDispose]: close,
  };
}

/** jose signs no critical parameter that it is not told of. */
function toCrit(names: unknown): Record<string, boolean> {
  return Object.fromEntries(Array.isArray(names) ? names.map((name) => [name, true]) : []);
}

async function createSigner(kid: string, alg: string): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  return { kid, alg, privateKey, jwk: { ...await exportJWK(publicKey), kid, alg, use: "sig" } };
}
