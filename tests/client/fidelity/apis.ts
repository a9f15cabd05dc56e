/**
 * Rows that compare the members of `Response`, and the arguments of `fetch`.
 *
 * @module
 */
import { redirector } from "./redirects.ts";
import { formOf, MIB, nameOf, observe, type Row } from "./row.ts";

const json = (): Response => Response.json({ a: [1, "é"] });

/** Rows that compare APIs. */
export const API_ROWS: readonly Row[] = [
  used("a URL object", async (fetch, url) => await observe(await fetch(new URL(url)))),
  used("a Request", async (fetch, url) => {
    const request = new Request(url, { method: "PUT", body: "body", headers: { "x-a": "b" } });
    const result = await observe(await fetch(request));
    return [result, request.bodyUsed];
  }),
  used("a Request and options", async (fetch, url) => {
    const request = new Request(url, { method: "PUT", body: "body", headers: { "x-a": "b" } });
    return await observe(await fetch(request, { method: "POST", headers: { "x-c": "d" } }));
  }),
  used("a Request and another body", async (fetch, url) => {
    const request = new Request(url, { method: "PUT", body: "body" });
    return [await observe(await fetch(request, { body: "other" })), request.bodyUsed];
  }),
  used("a cloned Request", async (fetch, url) => {
    const request = new Request(url, { method: "POST", body: formOf() });
    const first = await observe(await fetch(request.clone()));
    return [first, await observe(await fetch(request))];
  }),
  used("a used Request", async (fetch, url) => {
    const request = new Request(url, { method: "POST", body: "body" });
    await request.text();
    return await fetch(request);
  }),
  used(
    "a Request with redirect error",
    async (fetch, url) =>
      await observe(await fetch(new Request(`${url}to/302//there`, { redirect: "error" }))),
    redirector,
  ),
  used("an invalid URL", async (fetch) => await fetch("http://[")),
  used("a relative URL", async (fetch) => await fetch("/there")),
  used("an unknown scheme", async (fetch) => await fetch("gopher://127.0.0.1/")),
  used(
    "a URL with characters that need encoding",
    async (fetch, url) => await observe(await fetch(`${url}é/ /%2f/"|?ä=€&b=#fragment`)),
  ),
  used(
    "a URL with dot segments",
    async (fetch, url) => await observe(await fetch(`${url}a/../b/./c`)),
  ),
  used("json()", async (fetch, url) => await (await fetch(url)).json(), json),
  used("json() of invalid JSON", async (fetch, url) => {
    const error = await (await fetch(url)).json().catch((error: Error) => error.name);
    return error;
  }),
  used("text()", async (fetch, url) => await (await fetch(url)).text(), json),
  used(
    "text() with a byte order mark",
    async (fetch, url) => await (await fetch(url)).text(),
    () => new Response("\ufeffmarked"),
  ),
  used(
    "text() of invalid UTF-8",
    async (fetch, url) => await (await fetch(url)).text(),
    () => new Response(new Uint8Array([0xef, 0xbb, 0xbf, 65, 0xff])),
  ),
  used(
    "arrayBuffer()",
    async (fetch, url) => [...new Uint8Array(await (await fetch(url)).arrayBuffer())],
    json,
  ),
  used("blob()", async (fetch, url) => {
    const blob = await (await fetch(url)).blob();
    return [blob.size, blob.type, await blob.text()];
  }, json),
  used("formData() of multipart/form-data", async (fetch, url) => {
    const form = await (await fetch(url)).formData();
    return [form.getAll("text"), (form.get("file") as File).name];
  }, () => new Response(formOf())),
  used("formData() of application/x-www-form-urlencoded", async (fetch, url) => {
    return [...await (await fetch(url)).formData()];
  }, () => new Response(new URLSearchParams("a=b+c&a=d"))),
  used("formData() of plain text", async (fetch, url) => await (await fetch(url)).formData()),
  used("clone()", async (fetch, url) => {
    const response = await fetch(url);
    const clone = response.clone();
    return [await observe(clone), await observe(response)];
  }, json),
  used("clone() of a clone, of a redirect", async (fetch, url) => {
    const response = await fetch(`${url}to/302//there`);
    const clone = response.clone();
    return await Promise.all([clone.clone(), clone, response].map(observe));
  }, redirector),
  used("clone() after reading", async (fetch, url) => {
    const response = await fetch(url);
    await response.text();
    return response.clone();
  }),
  used("clone() of a null body", async (fetch, url) => {
    const response = await fetch(url, { method: "HEAD" });
    return [await observe(response.clone()), await observe(response)];
  }),
  used("reading twice", async (fetch, url) => {
    const response = await fetch(url);
    return [await response.text(), await response.text().catch(nameOf), response.bodyUsed];
  }),
  used("text() of a locked body", async (fetch, url) => {
    const response = await fetch(url);
    const reader = response.body?.getReader();
    const error = await response.text().catch(nameOf);
    await reader?.cancel();
    return [error, response.bodyUsed];
  }),
  used("iterating over the body", async (fetch, url) => {
    let length = 0;
    for await (const part of (await fetch(url)).body ?? []) length += part.length;
    return length;
  }, () => new Response(MIB)),
];

function used(name: string, use: NonNullable<Row["use"]>, http?: Row["http"]): Row {
  return { name, use, ...(http && { http }) };
}
