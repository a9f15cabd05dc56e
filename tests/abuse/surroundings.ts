/**
 * What surrounds the service during an attack: a resolver that is silent, few descriptors, little memory.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import type { Surroundings } from "./attack.ts";

const FEW_DESCRIPTORS = 512;
const RESOLVER = "127.0.0.99";
const DNS_PORT = 53;

/** A program that starts another, and what has to exist meanwhile. */
export interface Setting extends AsyncDisposable {
  /** The program with its arguments, to which the command of the service is added. */
  readonly through: readonly string[];
}

/**
 * Prepares the surroundings of a process.
 *
 * @param members The file of a control group that the process joins.
 */
export async function prepareSurroundings(
  surroundings: Surroundings,
  members: string | undefined,
): Promise<Setting> {
  const join = members === undefined ? "" : `echo $$ > ${members}; `;
  if (surroundings === "few descriptors") {
    return toSetting(["sh", "-c", `${join}ulimit -n ${FEW_DESCRIPTORS}; exec "$0" "$@"`]);
  }
  if (surroundings === "silent resolver") return await silenceResolver(join);
  return toSetting(join === "" ? [] : ["sh", "-c", `${join}exec "$0" "$@"`]);
}

/** Reports why the surroundings cannot be had on this machine; `undefined`: they can. */
export function findObstacle(surroundings: Surroundings): string | undefined {
  if (surroundings !== "silent resolver") return undefined;
  const { success } = new Deno.Command("unshare", { args: ["-m", "true"], stderr: "null" })
    .outputSync();
  return success ? undefined : "it needs a mount namespace of its own";
}

function toSetting(through: readonly string[]): Setting {
  return { through, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** Lets the process, and no other, use a DNS server that takes questions and never answers. */
async function silenceResolver(join: string): Promise<Setting> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(DNS_PORT, RESOLVER, resolve));
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, `nameserver ${RESOLVER}\n`);
  const script = `mount --bind ${file} /etc/resolv.conf; ${join}exec "$0" "$@"`;
  return {
    through: ["unshare", "-m", "sh", "-c", script],
    async [Symbol.asyncDispose](): Promise<void> {
      await new Promise<void>((resolve) => socket.close(() => resolve()));
      await Deno.remove(file);
    },
  };
}
