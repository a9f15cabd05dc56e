/**
 * The role of an attacker: runs one attack after another as it is told to, and says what it was told.
 *
 * @module
 */
import { say } from "../bench/role.ts";
import { type Message, TEXT } from "../bench/load/frames.ts";
import { readLines } from "../bench/load/lines.ts";
import type { Attacker, Counts } from "./attack.ts";
import { findAttack } from "./attacks.ts";
import { connectPeer, HandshakeError, type PeerSocket } from "./peer_socket.ts";

/** What an attacker is told: an attack to begin, or (`null`) its end. */
export interface AttackJob {
  readonly name: string;
  readonly port: number;
  readonly token?: string | undefined;
  readonly origin: string;
}

/**
 * Runs attacks. Says `true` when one is under way and was told what it has to be told, and at its end how often it was
 * told what.
 */
export async function runAttacker(): Promise<void> {
  let finish: () => Promise<Counts> = () => Promise.resolve({});
  for await (const line of readLines(Deno.stdin.readable)) {
    const job: AttackJob | null = JSON.parse(line);
    if (job === null) say(JSON.stringify(await finish()));
    else finish = begin(job);
  }
}

function begin({ name, port, token, origin }: AttackJob): () => Promise<Counts> {
  const attack = findAttack(name);
  const { told, waveMs = 0 } = attack;
  const controller = new AbortController();
  const { signal } = controller;
  const counts: Record<string, number> = {};
  let hasSent = false;
  let isUnderWay = false;
  const open = new Set<Disposable>();

  function tell(what: string): void {
    if (signal.aborted) return;
    counts[what] = (counts[what] ?? 0) + 1;
    look();
  }

  function underWay(): void {
    const end = (): void => {
      hasSent = true;
      look();
    };
    if (waveMs === 0) end();
    else setTimeout(end, waveMs);
  }

  /** An attack is under way once its first wave is out and the service has told it what it has to. */
  function look(): void {
    const wasTold = told === undefined || told.some((code) => code in counts);
    if (isUnderWay || !hasSent || !wasTold) return;
    isUnderWay = true;
    say("true");
  }

  const attacker: Attacker = {
    port,
    token,
    origin,
    destinationPort: Number(new URL(origin).port),
    signal,
    tell,
    underWay,
    async connect({ onMessage, ...options } = {}): Promise<PeerSocket> {
      signal.throwIfAborted();
      try {
        const socket = await connectPeer({
          ...options,
          port,
          token,
          onMessage(message, socket): void {
            tellMessage(message, tell);
            onMessage?.(message, socket);
          },
        });
        open.add(socket);
        socket.ended.then((code) => {
          open.delete(socket);
          tell(`close ${code}`);
        });
        return socket;
      } catch (error) {
        tell(error instanceof HandshakeError ? `HTTP ${error.status}` : "no connection");
        throw error;
      }
    },
  };
  const running = attack.run(attacker).catch((error: unknown) => {
    if (!signal.aborted) tell(`attack failed: ${error}`);
  }).then(underWay);
  return async () => {
    controller.abort();
    for (const socket of open) socket[Symbol.dispose]();
    await running;
    return counts;
  };
}

function tellMessage({ opcode, head }: Message, tell: (what: string) => void): void {
  if (opcode !== TEXT) return;
  const text = new TextDecoder().decode(head);
  const [, type = "plain response"] = /^\{"type":"(\w+)"/.exec(text) ?? [];
  const [, code] = /"code":"(\w+)"/.exec(text) ?? [];
  const isError = type === "error" || type === "plain response" && code !== undefined;
  if (isError) tell(code ?? "error");
  else if (type === "response" || type === "plain response") tell("response");
}
