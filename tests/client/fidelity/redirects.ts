/**
 * Rows that compare redirects.
 *
 * @module
 */
import { post, type Row, streamOf } from "./row.ts";

const REDIRECT_STATUSES = [301, 302, 303, 307, 308] as const;
const MODES: readonly RequestRedirect[] = ["follow", "error", "manual"];

/** Responds to `/to/<status>/<location>` with a redirect to `<location>`. */
export function redirector({ url }: Request): Response {
  const { pathname, search } = new URL(url);
  const [, status, location] = /^\/to\/(\d+)\/(.*)$/.exec(pathname + search) ?? [];
  if (status === undefined) return new Response("arrived");
  const headers = { location: decodeURIComponent(location ?? "") };
  return new Response("moved", { status: Number(status), headers });
}

/** Rows that compare redirects. */
export const REDIRECT_ROWS: readonly Row[] = [
  ...REDIRECT_STATUSES.flatMap((status) =>
    MODES.flatMap((redirect) =>
      ["GET", "POST"].map((method) => ({
        name: `redirect ${status} of ${method}, mode ${redirect}`,
        http: redirector,
        path: `/to/${status}//there?a=b`,
        init: () => ({ redirect, method, ...(method === "POST" && { body: "body" }) }),
      }))
    )
  ),
  ...[
    { name: "of HEAD", path: "/to/303//there", init: () => ({ method: "HEAD" }) },
    { name: "of PUT with 303", path: "/to/303//there", ...put("body") },
    { name: "of PUT with 301", path: "/to/301//there", ...put("body") },
    { name: "of DELETE with 302", path: "/to/302//there", init: () => ({ method: "DELETE" }) },
    { name: "of a stream with 307", path: "/to/307//there", ...post(() => longStream()) },
    { name: "of a stream with 303", path: "/to/303//there", ...post(() => longStream()) },
    { name: "of bytes with 308", path: "/to/308//there", ...post(() => new Uint8Array([0])) },
    { name: "that is relative", path: "/to/302/.%2F..%2Fthere" },
    { name: "that is relative to the parent", path: "/to/302/..%2F..%2F..%2Fthere" },
    { name: "to a query", path: "/to/302/%3Fa=b", http: toQuery },
    { name: "to a path with non-ASCII characters", path: "/to/302//%25C3%25A9" },
    { name: "with a fragment", path: "/to/302//there%23fragment" },
    { name: "of a URL with a fragment", path: "/to/302//there#fragment" },
    { name: "in a chain", path: "/to/301//to/302//to/303//to/307//to/308//there" },
    { name: "in a chain, of a POST", path: "/to/308//to/301//there", ...post(() => "body") },
    { name: "to an error", path: "/to/302//to/404/" },
    { name: "to an invalid URL", path: "/to/302/http:%2F%2F%5B" },
    { name: "to another scheme", path: "/to/302/ftp:%2F%2F127.0.0.1%2F" },
    { name: "to data:", path: "/to/302/data:text%2Fplain,x" },
    { name: "with 300, which is not a redirect", path: "/to/300//there" },
    { name: "with 304, which is not a redirect", path: "/to/304//there", http: notModified },
    {
      name: "in a loop",
      http: ({ url }: Request) => Response.redirect(url),
      unseen: true as const,
    },
    {
      name: "with representation headers",
      path: "/to/301//there",
      ...post(() => "body", { "content-language": "en", "x-kept": "1" }),
    },
    {
      name: "with authorization, to the same origin",
      path: "/to/302//there",
      init: () => ({ headers: { authorization: "Basic eA==", "x-kept": "1" } }),
    },
  ].map((row): Row => ({ http: redirector, ...row, name: `redirect ${row.name}` })),
  {
    name: "redirect with authorization, to another origin",
    http: (request) => {
      const { port, pathname } = new URL(request.url);
      if (pathname !== "/") return new Response("arrived");
      return Response.redirect(`http://localhost:${port}/there`, 307);
    },
    // Other fields than well-known ones do not follow to another origin, unlike with fetch.
    ...post(() => "body", { authorization: "Basic eA==", "x-requested-with": "1" }),
  },
];

function put(body: BodyInit): Partial<Row> {
  return { init: () => ({ method: "PUT", body }) };
}

function longStream(): ReadableStream<Uint8Array<ArrayBuffer>> {
  return streamOf(...Array.from({ length: 20 }, () => "x".repeat(1000)));
}

function toQuery({ url }: Request): Response {
  const headers = { location: "?a=b" };
  return url.endsWith("?a=b")
    ? new Response("arrived")
    : new Response(null, { status: 302, headers });
}

function notModified(): Response {
  return new Response(null, { status: 304, headers: { location: "/there" } });
}
