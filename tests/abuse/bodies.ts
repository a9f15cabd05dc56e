/**
 * Bodies of responses that cost whoever receives them more than whoever sends them.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from "node:zlib";
import type { Bytes } from "./frames.ts";

const MIB = 1024 * 1024;
const WHOLE_BYTES = 8 * MIB;
const BOMB_BYTES = 64 * MIB;
const BOMBS = 8;
const NESTED = 1_000_000;
const QUICK = 5;
const KEYS = 500_000;

/** A body, its type and its coding. */
export interface Body {
  readonly type: string;
  readonly coding?: string;
  /** Sent once. */
  readonly bytes: Bytes;
  /** How the body goes on. Default: `ends`. */
  readonly then?: "repeats" | "hangs" | "ends";
}

const encode = (text: string): Bytes => new TextEncoder().encode(text);
const text = (character: string): Bytes => encode(character.repeat(WHOLE_BYTES));
const gzip = (bytes: Bytes): Bytes => new Uint8Array(gzipSync(bytes));
const zeros = (): Bytes => new Uint8Array(BOMB_BYTES);
const many = (bytes: Uint8Array): Bytes => concat(Array.from({ length: BOMBS }, () => bytes));

/** By the path of a request. Each is made when it is requested first. */
export const BODIES: Readonly<Record<string, () => Body>> = {
  "/text": () => ({ type: "text/plain", bytes: text("x") }),
  "/controls": () => ({ type: "text/plain", bytes: text("\u0001") }), // six times as long in JSON
  "/binary": () => ({
    type: "application/octet-stream",
    bytes: concat(
      Array.from(
        { length: WHOLE_BYTES / 65_536 },
        () => crypto.getRandomValues(new Uint8Array(65_536)),
      ),
    ),
  }),
  "/held": () => ({ type: "text/plain", bytes: text("x").slice(1), then: "hangs" }),
  "/held-gzip": () => ({
    type: "text/plain",
    coding: "gzip",
    // Without its checksum the body is not complete.
    bytes: gzip(text("x")).slice(0, -8),
    then: "hangs",
  }),
  "/gzip": () => ({ type: "text/plain", coding: "gzip", bytes: gzip(text("x")) }),
  "/gzip-bomb": () => ({ type: "text/plain", coding: "gzip", bytes: many(gzip(zeros())) }),
  "/br-bomb": () => ({
    type: "text/plain",
    coding: "br",
    bytes: new Uint8Array(
      brotliCompressSync(zeros(), { params: { [constants.BROTLI_PARAM_QUALITY]: QUICK } }),
    ),
  }),
  "/zstd-bomb": () => ({
    type: "text/plain",
    coding: "zstd",
    bytes: many(zstdCompressSync(zeros())),
  }),
  "/nested-json": () => ({
    type: "application/json",
    bytes: encode("[".repeat(NESTED) + "]".repeat(NESTED)),
  }),
  "/keys-json": () => ({
    type: "application/json",
    bytes: encode(`{${Array.from({ length: KEYS }, (_, i) => `"k${i}":1`).join()}}`),
  }),
  "/endless": () => ({
    type: "application/octet-stream",
    bytes: new Uint8Array(65_536).fill(120),
    then: "repeats",
  }),
  "/endless-line": () => ({
    type: "text/plain",
    bytes: encode("ā".repeat(32_768)),
    then: "repeats",
  }),
  "/empty-lines": () => ({
    type: "text/plain",
    bytes: encode("\n".repeat(65_536)),
    then: "repeats",
  }),
  "/endless-event": () => ({
    type: "text/event-stream",
    bytes: encode(`data: ${"ā".repeat(32_768)}`),
    then: "repeats",
  }),
  "/data-lines": () => ({
    type: "text/event-stream",
    bytes: encode("data:\n".repeat(10_922)),
    then: "repeats",
  }),
  "/small-events": () => ({
    type: "text/event-stream",
    bytes: encode("data:\n\n".repeat(9362)),
    then: "repeats",
  }),
};
