/**
 * The roles of a benchmark, each a process of its own that runs the same file with other arguments.
 *
 * @module
 */

import { readLines } from "./load/lines.ts";

/** A process that is told what to do by lines, and answers by lines. */
export interface Role extends AsyncDisposable {
  tell(word: string): Promise<void>;
  /** Returns the next line, as the JSON that it holds. */
  next<T>(): Promise<T>;
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

// deno-lint-ignore no-console -- a benchmark says what it measured
export const say = (text: string): void => console.log(text);

/** Starts a role: the file in a process of its own. */
export function startRole(file: string | undefined, args: readonly string[]): Role {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", file ?? "", ...args],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = readLines(child.stdout);
  return {
    tell: (word) => writer.write(new TextEncoder().encode(`${word}\n`)),
    async next<T>(): Promise<T> {
      const { value } = await lines.next();
      return JSON.parse(String(value)); // what the same file has written
    },
    async [Symbol.asyncDispose](): Promise<void> {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}
