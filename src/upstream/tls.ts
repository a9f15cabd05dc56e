/**
 * The TLS of an upstream: the authorities that it is trusted by, and the certificate that the service presents to it.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { UpstreamTls } from "../http/transport.ts";
import type { FieldProblem } from "./definition_fields.ts";
import { interpolate, type UpstreamSources } from "./secrets.ts";

/** The TLS of an upstream, or what is wrong with its definition. */
export interface ParsedTls {
  /** Absent when the definition has none, or a wrong one. */
  readonly tls?: UpstreamTls;
  /** By the path of the member. Messages never contain a value. */
  readonly problems: readonly FieldProblem[];
}

const MEMBERS = ["ca", "cert", "key"] as const;
type Member = typeof MEMBERS[number];

/**
 * Parses the member `tls` of a definition: an object with `ca`, `cert` and `key`. Each is the path of a PEM file, PEM
 * text, or a reference like `${env:NAME}` to one of them.
 */
export function parseTls(value: unknown, sources: UpstreamSources): ParsedTls {
  if (value === undefined) return { problems: [] };
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { problems: [{ path: [], message: "must be an object" }] };
  }
  const texts: Partial<Record<Member, string>> = {};
  const problems: FieldProblem[] = [];
  for (const [name, text] of Object.entries(value)) {
    const member = MEMBERS.find((each) => each === name);
    try {
      if (member === undefined) throw new TypeError("is not a known field");
      texts[member] = parseMember(member, text, sources);
    } catch (error) {
      problems.push({ path: [name], message: error instanceof Error ? error.message : "" });
    }
  }
  if (problems.length > 0) return { problems };
  const problem = findPairProblem(texts);
  return problem === undefined ? { tls: texts, problems } : { problems: [problem] };
}

function parseMember(member: Member, value: unknown, sources: UpstreamSources): string {
  if (typeof value !== "string" || value.trim() === "") {
    throw new TypeError("must be the path of a PEM file");
  }
  const text = toPem(interpolate(value, sources).value, sources);
  try {
    if (member === "key") createPrivateKey(text);
    else new X509Certificate(text);
  } catch (cause) {
    const form = member === "key" ? "an unencrypted private key" : "a certificate";
    throw new TypeError(`must be ${form} in PEM, or the path of a file that holds one`, { cause });
  }
  return text;
}

function toPem(text: string, { readText }: UpstreamSources): string {
  if (text.includes("-----BEGIN ")) return text;
  try {
    return readText(text);
  } catch (cause) {
    const reason = cause instanceof Error ? ` (${cause.name})` : "";
    throw new TypeError(`is a file that cannot be read${reason}`, { cause });
  }
}

function findPairProblem({ cert, key }: Partial<Record<Member, string>>): FieldProblem | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined) return { path: ["cert"], message: "is missing; key needs it" };
  if (key === undefined) return { path: ["key"], message: "is missing; cert needs it" };
  const isPair = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  return isPair ? undefined : { path: ["key"], message: "is not the key of cert" };
}
