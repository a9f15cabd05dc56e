/**
 * The role of a hostile destination: sends bodies that are expensive to receive, or nothing at all.
 *
 * @module
 */
import { say } from "../bench/role.ts";
import { BODIES, type Body } from "./bodies.ts";
import type { Bytes } from "./frames.ts";

const PART_BYTES = 65_536;

/** Serves on every address of the loopback interface, so that it is as many hosts as requests name. Says its port. */
export async function runDestination(): Promise<void> {
  const made = new Map<string, Body>();
  const server = Deno.serve({ hostname: "0.0.0.0", port: 0, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/silent") return new Promise(() => {});
    const make = BODIES[pathname];
    if (make === undefined) return Response.json({ small: true });
    const body = made.get(pathname) ?? make();
    made.set(pathname, body);
    return respond(body);
  });
  say(JSON.stringify(server.addr.port));
  for await (const _ of Deno.stdin.readable);
}

function respond({ type, coding, bytes, then = "ends" }: Body): Response {
  const headers = {
    "content-type": type,
    "cache-control": "no-transform",
    ...(coding !== undefined && { "content-encoding": coding }),
  };
  return new Response(then === "ends" ? bytes : streamOf(bytes, then), { headers });
}

function streamOf(bytes: Bytes, then: "repeats" | "hangs"): ReadableStream<Bytes> {
  let at = 0;
  return new ReadableStream({
    pull(controller): Promise<void> | void {
      if (at >= bytes.length) {
        if (then === "hangs") return new Promise(() => {});
        at = 0;
      }
      controller.enqueue(bytes.subarray(at, at + PART_BYTES));
      at += PART_BYTES;
    },
  });
}
