/**
 * Handshakes with credentials, and what is asserted about the response to each.
 *
 * @module
 */
import { assert, assertEquals, assertFalse } from "@std/assert";
import type { RawClient } from "./raw_client.ts";
import type { Service } from "./service.ts";
import { latin1 } from "./upstream.ts";

/** Headers of a handshake, in addition to the usual ones. */
export type HandshakeHeaders = Readonly<Record<string, string | undefined>>;

/** The identity that is admitted (`null`: an anonymous client), or the status and the code of the refusal. */
export type Expected = string | null | readonly [status: number, code: string];

/** A handshake and its expected response. */
export interface AdmissionCase {
  readonly headers: HandshakeHeaders;
  readonly requestLine?: string | undefined;
  readonly expected: Expected;
}

/** Where the service refuses a client without a valid credential. */
export const UNAUTHORIZED = [401, "unauthorized"] as const;

/** How the service refuses a malformed handshake or credential. */
export const BAD_HANDSHAKE = [400, "bad_handshake"] as const;

const V1 = "wsfetch.v1";
const REALM = 'Bearer realm="wsfetch"';
const INVALID_TOKEN = `${REALM}, error="invalid_token"`;

/** Returns headers with a token in `Authorization`, for the plain dialect. */
export function bearing(token: string): HandshakeHeaders {
  return { authorization: `Bearer ${token}` };
}

/** Returns headers that offer subprotocols. */
export function offering(...protocols: string[]): HandshakeHeaders {
  return { "sec-websocket-protocol": protocols.join(", ") };
}

/** Returns headers with a token in a subprotocol, for wsfetch.v1. */
export function carrying(token: string): HandshakeHeaders {
  return offering(V1, `bearer.${encode(token)}`);
}

/** Describes an expected response, for the name of a test. */
export function describe(expected: Expected): string {
  if (expected === null) return "admitted without an identity";
  if (typeof expected !== "string") return `refused with ${expected.join(" ")}`;
  return `admitted as ${expected.slice(0, 16)}`;
}

/** Asserts the response to a handshake and the log, and that neither contains any part of the credential. */
export async function assertAnswer(
  service: Service,
  client: RawClient,
  { headers, expected, requestLine = "" }: AdmissionCase,
): Promise<void> {
  const isV1 = headers["sec-websocket-protocol"] !== undefined;
  const isAdmitted = expected === null || typeof expected === "string";
  const answer = isAdmitted && !isV1 ? client.answer : await readAnswer(client);
  if (isAdmitted) await assertAdmitted(service, answer, { identity: expected, isV1 });
  else assertRefused(service, answer, expected);
  for (const secret of secretsOf(headers, requestLine)) {
    assertHidden(answer, secret);
    assertHidden(JSON.stringify(service.log), secret);
  }
}

async function assertAdmitted(
  service: Service,
  answer: string,
  { identity, isV1 }: { readonly identity: string | null; readonly isV1: boolean },
): Promise<void> {
  assert(answer.startsWith("HTTP/1.1 101 "), answer);
  const echoed = [...answer.matchAll(/^sec-websocket-protocol: (.*)\r$/gim)].map(([, name]) =>
    name
  );
  assertEquals(echoed, isV1 ? [V1] : []);
  const dialect = isV1 ? V1 : "plain";
  const logged = await service.logged("connected", (line) => line.dialect === dialect);
  assertEquals(logged.identity, identity ?? undefined);
  if (!isV1) return;
  const hello = JSON.parse(answer.slice(answer.indexOf('{"type"')));
  assertEquals([hello.type, hello.identity], ["hello", identity && utf8AsLatin1(identity)]);
}

function assertRefused(
  service: Service,
  answer: string,
  [status, code]: readonly [number, string],
): void {
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  assert(head.startsWith(`HTTP/1.1 ${status} `), answer);
  assert(/^content-type: application\/json/im.test(head), head);
  assertFalse(/^sec-websocket-(protocol|accept)/im.test(head), head);
  const { error, ...others } = JSON.parse(body);
  assertEquals(others, {});
  assertEquals(Object.keys(error), ["code", "message"]);
  assertEquals(error.code, code);
  const challenge = /^www-authenticate: (.*)\r?$/im.exec(`${head}\r`)?.[1]?.trimEnd();
  const isMissing = error.message.startsWith("A credential is required");
  assertEquals(challenge, status !== 401 ? undefined : isMissing ? REALM : INVALID_TOKEN);
  const line = service.log.findLast(({ event }) => event === "refused");
  const reason = typeof line?.reason === "string" ? utf8AsLatin1(line.reason) : undefined;
  assertEquals([line?.status, line?.code, reason, line?.client], [
    status,
    code,
    error.message,
    "127.0.0.1",
  ]);
  assertFalse(service.log.some(({ event }) => event === "connected"));
}

const PIECE = 12;

function assertHidden(text: string, secret: string): void {
  for (let start = 0; start === 0 || start + PIECE <= secret.length; start++) {
    const piece = secret.slice(start, start + PIECE);
    assertFalse(
      text.includes(piece),
      `a piece of the credential is visible: ${text.slice(0, 2000)}`,
    );
  }
}

/** Returns everything in a handshake that may be a credential, as it is and decoded. */
function secretsOf(headers: HandshakeHeaders, requestLine: string): readonly string[] {
  const { authorization = "", cookie = "" } = headers;
  const protocols = (headers["sec-websocket-protocol"] ?? "").split(/,\s*/)
    .filter((protocol) => /^bearer\./i.test(protocol))
    .map((protocol) => protocol.slice("bearer.".length));
  const query = /[?&]\w+=([^ ]*)/.exec(requestLine)?.[1] ?? "";
  const texts = [
    ...authorization.split(/[\s,"]+/),
    ...protocols,
    ...protocols.flatMap(decoded),
    ...authorization.split(/\s+/).flatMap(decoded),
    query,
    decodeURIComponent(query),
    cookie.slice("token=".length),
    headers["x-api-key"] ?? "",
    headers["proxy-authorization"]?.slice("Bearer ".length) ?? "",
  ];
  return texts.filter((text) => text.length >= PIECE && text !== "authorization:");
}

function decoded(text: string): string[] {
  try {
    return [atob(text.replaceAll("-", "+").replaceAll("_", "/"))];
  } catch {
    return []; // the text is not base64
  }
}

/** Reads the head and the body, or the head and `hello`: both end in two braces. */
export async function readAnswer(client: RawClient): Promise<string> {
  const end = latin1("}}");
  if (client.answer.endsWith("}}")) return client.answer;
  return client.answer + new TextDecoder("latin1").decode(await client.readToEnd(end));
}

/** Returns what a raw client reads of a text that was sent in UTF-8. */
function utf8AsLatin1(text: string): string {
  return new TextDecoder("latin1").decode(bytes(text));
}

/** Returns a text in UTF-8. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Encodes in base64url without padding. */
export function encode(value: string | Uint8Array): string {
  const raw = typeof value === "string" ? bytes(value) : value;
  return raw.toBase64({ alphabet: "base64url", omitPadding: true });
}
