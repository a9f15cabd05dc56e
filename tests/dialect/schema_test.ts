import { assert, assertEquals } from "@std/assert";
import type * as z from "zod";
import type {
  CancelFrame,
  ClientFrame,
  PingFrame,
  RequestFrame,
} from "../../src/protocol/mod.ts";
import {
  type cancelSchema,
  clientFrameSchema,
  describeIssues,
  type pingSchema,
  plainFrameSchema,
  type requestSchema,
} from "../../src/dialect/schema.ts";

/** `true` only for types that are the same to the last modifier. */
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;

Deno.test("clientFrameSchema gives exactly the types of the frames", () => {
  const equal: [
    Equal<z.output<typeof requestSchema>, RequestFrame>,
    Equal<z.output<typeof cancelSchema>, CancelFrame>,
    Equal<z.output<typeof pingSchema>, PingFrame>,
    Equal<z.output<typeof clientFrameSchema>, ClientFrame>,
  ] = [true, true, true, true];
  assert(equal.every(Boolean));
});

Deno.test("Equal tells apart what assignability does not", () => {
  type Optional = { readonly a?: string };
  const equal: [
    Equal<Optional, { readonly a?: string }>,
    Equal<Optional, { readonly a?: string | undefined }>,
    Equal<Optional, { readonly a: string | undefined }>,
    Equal<Optional, { readonly a: string }>,
    Equal<Optional, { a?: string }>,
    Equal<Optional, Optional & { readonly b?: string }>,
    Equal<readonly string[], string[]>,
    Equal<{ readonly a: unknown }, { readonly a: any }>, // deno-lint-ignore-line
    Equal<{ readonly a: unknown }, { readonly a?: unknown }>,
    Equal<ClientFrame, RequestFrame | CancelFrame>,
  ] = [true, false, false, false, false, false, false, false, false, false];
  assertEquals(equal.filter(Boolean).length, 1);
});
