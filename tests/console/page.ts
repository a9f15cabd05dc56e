/**
 * The console without its elements: session, store, log, history and controller.
 *
 * @module
 */
import type { WebSocketConstructor } from "../../src/client/socket.ts";
import { platformTimers } from "../../src/client/timers.ts";
import { type Draft, EMPTY_DRAFT } from "../../src/console/draft.ts";
import {
  createExchangeController,
  type ExchangeController,
} from "../../src/console/exchange_controller.ts";
import {
  createExchangeStore,
  isOver,
  type ShownExchange,
} from "../../src/console/exchange_store.ts";
import { createFrameLog } from "../../src/console/frame_log.ts";
import { createHandshakeProbe } from "../../src/console/handshake.ts";
import { createHistory, type History } from "../../src/console/history.ts";
import { createSession, type Session } from "../../src/console/session.ts";
import type { Service } from "../helpers/service.ts";
import { startHttp } from "../helpers/upstream.ts";

/** A page. Disconnects when it is disposed. */
export interface Page extends Disposable {
  readonly session: Session;
  readonly controller: ExchangeController;
  readonly history: History;
  /** The texts for screen readers. */
  readonly announced: string[];
  /** Fulfils when the condition is true. */
  until(condition: () => boolean): Promise<void>;
  /** Sends a request. Fulfils when its exchange has ended. */
  send(draft: Partial<Draft>, file?: File): Promise<ShownExchange>;
}

/** Creates the parts of the page that have no elements. */
export function openPage({ url, origin }: Service): Page {
  const checks = new Set<() => void>();
  const announced: string[] = [];
  const changed = (): void => checks.forEach((check) => check());
  const now = (): number => performance.now();
  const log = createFrameLog({ now });
  const store = createExchangeStore({ now, epochMs: () => Date.now() });
  const history = createHistory(undefined);
  const session = createSession(url, {
    WebSocket: WebSocket as WebSocketConstructor, // its events have more members
    timers: platformTimers,
    random: () => 0.9,
    probeHandshake: createHandshakeProbe((path, init) =>
      fetch(new URL(String(path), origin), init)
    ),
    frame: (...frame) => controller.frame(...frame),
    happened: changed,
    changed,
  });
  const announce = (text: string): void => void announced.push(text);
  const controller = createExchangeController({
    session,
    store,
    history,
    log,
    now,
    announce,
    changed,
  });
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        checks.delete(check);
        resolve();
      };
      checks.add(check);
      check();
    });
  return {
    session,
    controller,
    history,
    announced,
    until,
    async send(draft, file): Promise<ShownExchange> {
      const exchange = controller.send({ ...EMPTY_DRAFT, ...draft }, { file, times: 1 });
      await until(() => isOver(exchange));
      return exchange;
    },
    [Symbol.dispose]: () => session.disconnect(),
  };
}

/** Returns the stored body as text. */
export function textOf({ body }: ShownExchange): string {
  return new TextDecoder().decode(body?.read());
}

/** Starts the destination of the requests. */
export function startTarget(): ReturnType<typeof startHttp> {
  return startHttp(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/json") return Response.json({ a: 1 });
    if (pathname === "/lines") return new Response("one\ntwo\n");
    if (pathname === "/events") {
      return new Response("id: 7\nevent: x\ndata: one\n\ndata: two\n\n", {
        headers: { "content-type": "text/event-stream" },
      });
    }
    if (pathname === "/large") return new Response(new Uint8Array(1_000_000).fill(65));
    if (pathname === "/never") return new Response(new ReadableStream());
    const body = await request.bytes();
    return new Response(`${request.method} ${body.byteLength} ${request.headers.get("cookie")}`);
  });
}
