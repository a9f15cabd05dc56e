/**
 * Requests through `createForward`, by either HTTP client.
 *
 * @module
 */
import { assertRejects } from "@std/assert";
import type { ForwardRequest, ForwardResponse } from "../../src/forward/forward.ts";
import type { HopOptions } from "../../src/forward/hop.ts";
import { ProxyError, type ResponseHead } from "../../src/protocol/mod.ts";
import {
  createForwardClient,
  type ForwardClient,
  type HttpClientName,
} from "../helpers/http_clients.ts";

const folder = new URL("../helpers/certificates/", import.meta.url);
const [cert, key, ca] = ["localhost.pem", "localhost.key", "ca.pem"].map((name) =>
  Deno.readTextFileSync(new URL(name, folder))
) as [string, string, string];

/** The certificate of `localhost` with its key, and the certificate of its authority. */
export const CERTIFICATE = { cert, key, ca } as const;

/** A request. Default: GET without fields and body, of which every hop is allowed and every redirect followed. */
export interface TestRequest extends Partial<Omit<ForwardRequest, "url">>, Partial<HopOptions> {
  /** What `https:` trusts. Default: the authority of {@linkcode CERTIFICATE}. */
  readonly caCerts?: readonly string[];
}

/** A response whose body was read as text; `null` when it cannot have a body. */
export interface TestResponse extends ResponseHead {
  readonly text: string | null;
}

/** Makes a request up to the head of its response. */
export function requestHead(
  { forward }: ForwardClient,
  url: string | URL,
  request: TestRequest = {},
): Promise<ForwardResponse> {
  const { check = () => ({}), signal = new AbortController().signal, resilience, ...rest } =
    request;
  const whole = {
    method: "GET",
    headers: [],
    body: null,
    redirect: "follow",
    ...rest,
    url: new URL(url),
  } as const;
  return forward(whole, { check, signal, resilience });
}

/** Makes a request with a client of its own and reads the body. */
export async function request(
  by: HttpClientName,
  url: string | URL,
  request: TestRequest = {},
): Promise<TestResponse> {
  using client = createForwardClient(by, request.caCerts ?? [ca]);
  const { head, body } = await requestHead(client, url, request);
  const bytes = await body?.bytes(1000);
  return { ...head, text: bytes === undefined ? null : new TextDecoder().decode(bytes) };
}

/** Makes a request that fails, and returns its error. */
export async function failure(
  by: HttpClientName,
  url: string | URL,
  options: TestRequest = {},
): Promise<ProxyError> {
  return await assertRejects(() => request(by, url, options), ProxyError);
}

/** Returns a redirect. */
export function redirect(status: number, location: string): Response {
  return new Response(null, { status, headers: { location } });
}

/** A redirect as bytes, after which the connection is closed. */
export const REDIRECT =
  "HTTP/1.1 307 \r\nlocation: /x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
