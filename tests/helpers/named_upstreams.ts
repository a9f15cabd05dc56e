/** What the tests of named upstreams share. */
import { connectPlain, connectV1, type Frame } from "./client.ts";
import { type Service, startService } from "./service.ts";
import { startHttp } from "./upstream.ts";

export const TOKEN = 'tok/en+"1"%a~&!marker';
export const FILE_SECRET = "file-marker secret";
const SOURCES = {
  env: (name: string): string | undefined => name === "TOKEN" ? TOKEN : undefined,
  readText: (): string => `${FILE_SECRET}\r\n`,
};
export const HEADERS = {
  Authorization: "Bearer ${env:TOKEN}",
  "x-api-key": "${file:/run/secrets/key}",
  "X-Inline": "inline-marker",
  "x-basic": `Basic ${btoa("user:pass-marker")}`,
};
export const INJECTED = {
  authorization: `Bearer ${TOKEN}`,
  "x-api-key": FILE_SECRET,
  "x-inline": "inline-marker",
  "x-basic": HEADERS["x-basic"],
};

/** A service whose only destinations are these upstreams, unless `settings` say otherwise. */
export function startWith(upstreams: object, settings: Record<string, string> = {}): Service {
  const UPSTREAMS = JSON.stringify(upstreams);
  return startService({ ALLOW_HOSTS: "", UPSTREAMS, ...settings }, { sources: SOURCES });
}

/** Asks for a path of the upstream `api` in every way that a client can write it. */
export async function askEach(
  service: Service,
  path: string,
  fields: object = {},
): Promise<Frame[]> {
  await using v1 = await connectV1(service.url);
  await using plain = await connectPlain(service.url);
  return [
    await v1.ask({ type: "request", id: 1, upstream: "api", path, ...fields }),
    await v1.ask({ type: "request", id: 2, url: `api:${path}`, ...fields }),
    await plain.ask({ url: `api:${path}`, method: "GET", ...fields }),
  ];
}

export const request = (path: string, fields: object = {}): object => ({
  type: "request",
  id: 1,
  upstream: "api",
  path,
  ...fields,
});
export const statusOf = ({ status, status_code }: Frame): number => status ?? status_code;
export const bodyOf = ({ json, content }: Frame): Record<string, unknown> => json ?? content;
export const headersOf = ({ headers }: Frame): Record<string, unknown> =>
  Array.isArray(headers) ? Object.fromEntries(headers) : headers;

export function pick(from: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.keys(INJECTED).map((name) => [name, from[name]]));
}

/** A server that answers with the request's header fields. */
export const startEcho = (): ReturnType<typeof startHttp> =>
  startHttp(({ headers }) => Response.json(Object.fromEntries(headers)));

/** Fits the n-th line that fits. */
export function isNth(
  count: number,
  fits: (line: Readonly<Record<string, unknown>>) => boolean,
): (line: Readonly<Record<string, unknown>>) => boolean {
  let left = count;
  return (line) => fits(line) && --left === 0;
}
