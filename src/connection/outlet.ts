/**
 * The outlet of an exchange of a connection: sends its response in frames, under credit, and in turn with others.
 *
 * @module
 */
import { abortable } from "@std/async/abortable";
import type { Clock } from "../clock.ts";
import type { Dialect, ExchangeId, StreamDialect } from "../dialect/dialect.ts";
import { toProxyError } from "../exchange/errors.ts";
import { sizeOfEvent, type StreamEvent, toPlainEvent } from "../exchange/stream_event.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { Outlet } from "../exchange/outlet.ts";
import type { Limiter } from "../limits/limiter.ts";
import {
  type Chunk,
  type EndFrame,
  type HttpResponse,
  MAX_CHUNK_BYTES,
  MAX_CHUNK_MESSAGE_BYTES,
  ProxyError,
  type ResponseHead,
  type Timing,
} from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { LongWork } from "../turns/long_work.ts";
import type { FrameAllowance } from "./frame_allowance.ts";
import { Credit } from "./credit.ts";
import type { FrameSocket } from "./socket.ts";
import { Upload } from "./upload.ts";

/** The settings and parts that all outlets share. */
export interface OutletDeps {
  readonly limiter: Limiter;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Where frames of long bodies are made. */
  readonly longWork: LongWork;
  /** How long a client may grant no credit, in milliseconds. */
  readonly creditIdleMs: number;
  /** Credit in payload bytes that every upload starts with. */
  readonly windowBytes: number;
  /** Bytes of a request body that is streamed. */
  readonly maxStreamBytes: number;
}

/** The parts of a connection that its outlets send frames through. */
export interface FrameSink {
  readonly dialect: Dialect;
  readonly socket: FrameSocket;
}

/** The parts of a connection that its outlets use. */
export interface OutletConnection extends FrameSink {
  readonly allowance: FrameAllowance;
}

// The longest body whose frame is made at once: 64 KiB take 0.1 ms to 2 ms.
const MAX_SHORT_BYTES = 65_536;
const FRAME_COPIES = 2; // of a long frame: a text, and the bytes that wait to be sent

/** The outlet of one exchange, through which the connection also feeds and ends it. */
export class FrameOutlet implements Outlet {
  readonly exchange: Exchange;
  readonly id: ExchangeId;
  readonly #upload: Upload | undefined;
  readonly #credit: Credit | undefined;
  readonly #sink: OutletConnection;
  readonly #deps: OutletDeps;
  #scratch: Uint8Array<ArrayBuffer> | undefined = undefined;

  /** Also creates the upload of an exchange whose body follows in chunks. */
  constructor(
    { exchange, id }: { readonly exchange: Exchange; readonly id: ExchangeId },
    sink: OutletConnection,
    deps: OutletDeps,
  ) {
    const { windowBytes, bodyFollows } = exchange.request;
    this.exchange = exchange;
    this.id = id;
    this.#sink = sink;
    this.#deps = deps;
    this.#credit = windowBytes === undefined ? undefined : new Credit(windowBytes);
    this.#upload = bodyFollows ? this.#expectBody() : undefined;
    exchange.upload = this.#upload?.body;
  }

  /** Adds credit for the payload that the client is sent. */
  grant(bytes: number): void {
    this.#credit?.grant(bytes);
  }

  /** Takes a chunk of the request body, and reports whether it did. The exchange fails when the chunk is not allowed. */
  takeChunk(chunk: Chunk): boolean {
    const { record } = this.exchange;
    record.requestBytes += chunk.payload.byteLength;
    try {
      if (this.#upload !== undefined) return this.#upload.push(chunk);
      const message = "A chunk arrived for a request without bodyFollows";
      throw new ProxyError("flow_control_error", message);
    } catch (error) {
      this.abort(toProxyError(error, this.#deps.telemetry, record.connection));
      return false;
    }
  }

  /** Ends the exchange without a response: the client wants none. */
  cancel(): void {
    this.exchange.cancel();
    this.#release();
  }

  /** Ends the exchange with an error, which the client is sent. */
  abort(error: ProxyError): void {
    this.exchange.fail(error);
    this.#release();
  }

  /** To be called when the exchange has ended: drops what has not been read of the request body. */
  close(): void {
    this.#upload?.close();
  }

  ready(): void | Promise<void> {
    return this.#sink.socket.send(() => undefined, false);
  }

  whole(response: HttpResponse, timing: Timing): void | Promise<void> {
    const { exchange, id } = this;
    const { dialect, socket } = this.#sink;
    const { record, request, caller } = exchange;
    const bytes = response.body?.byteLength ?? 0;
    record.responseBytes += bytes;
    const counting = this.#deps.limiter.count(caller.key, bytes);
    if (counting !== undefined) counting.catch((error) => this.#failed(error));
    const asBytes = request.stream === true;
    const { requestId } = record;
    if (bytes > MAX_SHORT_BYTES) {
      return this.#sendLong(
        () => dialect.encodeLongResponse(id, { response, timing, asBytes, requestId }),
        { size: bytes, isPart: false },
      );
    }
    return socket.send(() => {
      if (exchange.isCancelled) return undefined;
      return dialect.encodeResponse(id, { response, timing, asBytes, requestId });
    });
  }

  head(head: ResponseHead, timing: Timing): void | Promise<void> {
    const { requestId } = this.exchange.record;
    const make = (): string | undefined =>
      this.#stream?.encodeHead(this.#streamId, { head, timing, requestId });
    return this.#sink.socket.send(make, false); // parts follow it, and need not make way for it
  }

  async bytes(bytes: Uint8Array<ArrayBuffer>, fin: boolean): Promise<void> {
    const { exchange } = this;
    const credit = this.#credit;
    // A WebSocket copies what it is given: one piece of memory serves every chunk.
    this.#scratch ??= new Uint8Array(MAX_CHUNK_MESSAGE_BYTES);
    let rest = bytes;
    while (rest.byteLength > 0 && !exchange.isCancelled) {
      const wanted = Math.min(rest.byteLength, MAX_CHUNK_BYTES);
      const taking = credit === undefined ? wanted : credit.take(wanted);
      const size = typeof taking === "number" ? taking : await this.#waitForCredit(taking);
      if (size === 0 && exchange.isCancelled) return;
      if (size === 0) throw exchange.signal.reason; // with FIN, a body that was cut off would look whole
      const payload = rest.subarray(0, size);
      rest = rest.subarray(size);
      if (credit !== undefined) this.#sink.allowance.earn(1, size); // for the grants that the client sends for it
      const spending = this.#spend(size);
      if (spending !== undefined) await spending;
      const isLast = fin && rest.byteLength === 0;
      const sending = this.#sendPart({ id: this.#streamId, payload, fin: isLast });
      if (sending !== undefined) await sending;
    }
    if (fin && bytes.byteLength === 0) {
      await this.#sendPart({ id: this.#streamId, payload: bytes, fin });
    }
  }

  event(event: StreamEvent): void | Promise<void> {
    const spending = this.#spend(sizeOfEvent(event));
    return spending === undefined
      ? this.#sendEvent(event)
      : spending.then(() => this.#sendEvent(event));
  }

  end(): void | Promise<void> {
    return this.#sendPart({ type: "end", id: this.#streamId });
  }

  fail(error: ProxyError): void | Promise<void> {
    const { exchange, id } = this;
    const { dialect, socket } = this.#sink;
    return socket.send(() =>
      exchange.isCancelled ? undefined : dialect.encodeError(id, error, exchange.record.requestId)
    );
  }

  /** The id for parts of a stream: only dialects whose ids are numbers have them. */
  get #streamId(): number {
    return typeof this.id === "number" ? this.id : 0;
  }

  /** `undefined` once the exchange is cancelled, or when the dialect does not stream. */
  get #stream(): StreamDialect | undefined {
    return this.exchange.isCancelled ? undefined : this.#sink.dialect.stream;
  }

  #sendEvent(event: StreamEvent): void | Promise<void> {
    const { dataBytes } = event;
    const head = { type: "event", id: this.#streamId } as const;
    if (dataBytes === undefined || dataBytes.byteLength <= MAX_SHORT_BYTES) {
      return this.#sink.socket.sendPart(() =>
        this.#stream?.encodePart({ ...head, ...toPlainEvent(event) })
      );
    }
    return this.#sendLong(
      () => this.#stream?.encodeLongEvent({ ...head, ...toPlainEvent(event, "") }, dataBytes),
      { size: dataBytes.byteLength, isPart: true },
    );
  }

  /**
   * Sends a long frame, which is made in steps: once the client reads what it is sent, and the long frames before it on
   * the connection have been sent.
   */
  async #sendLong(
    encode: () => Generator<undefined, string> | undefined,
    { size, isPart }: { readonly size: number; readonly isPart: boolean },
  ): Promise<void> {
    const { exchange, exchange: { signal, memory, caller: { key: owner } } } = this;
    const { socket } = this.#sink;
    using _line = await socket.enterLine(signal);
    await abortable(Promise.resolve(this.ready()), signal);
    const steps = encode();
    if (steps === undefined) return;
    const text = await this.#deps.longWork.run(steps, { owner, size, signal });
    if (exchange.isCancelled) return;
    if (text === undefined) throw signal.reason;
    const more = FRAME_COPIES * Math.max(0, text.length - size); // than was taken for the body
    memory?.keep(more);
    const make = (): string | undefined => signal.aborted ? undefined : text;
    await abortable(Promise.resolve(isPart ? socket.sendPart(make) : socket.send(make)), signal);
    memory?.give(more);
  }

  #sendPart(part: Chunk | EndFrame): void | Promise<void> {
    return this.#sink.socket.sendPart(() => this.#stream?.encodePart(part, this.#scratch));
  }

  /** Counts the bytes of a part, which may be sent once the returned promise has fulfilled. */
  #spend(bytes: number): void | Promise<void> {
    const { caller, signal, record } = this.exchange;
    const spending = this.#deps.limiter.spend(caller.key, bytes, signal);
    const spent = (): void => void (record.responseBytes += bytes);
    return spending === undefined ? spent() : spending.then(spent);
  }

  /** Fails the exchange when the client grants nothing for too long: it could hold a place at an upstream for ever. */
  async #waitForCredit(taking: Promise<number>): Promise<number> {
    const { clock, creditIdleMs } = this.#deps;
    const message = `The client granted no credit within ${creditIdleMs} ms`;
    const cancel = clock.after(
      creditIdleMs,
      () => this.abort(new ProxyError("flow_control_error", message, { sent: "yes" })),
    );
    const size = await taking;
    cancel();
    return size;
  }

  /** Creates the upload of a body that follows in chunks. The client is granted more as the body is read. */
  #expectBody(): Upload {
    const { exchange, id } = this;
    const { windowBytes, maxStreamBytes: maxBytes } = this.#deps;
    this.#sink.allowance.earn(0, windowBytes); // for chunks that cross the end of the exchange
    return new Upload({
      windowBytes,
      maxBytes,
      taken: () => exchange.uploadTaken(),
      grant: (bytes) => {
        if (typeof id !== "number") return;
        const frame = this.#stream?.encodePart({ type: "grant", id, bytes });
        if (typeof frame === "string") this.#sink.socket.send(() => frame);
      },
    });
  }

  #release(): void {
    this.#credit?.close();
    this.#upload?.close();
  }

  #failed(error: unknown): void {
    const { caller: { connection } } = this.exchange;
    this.#deps.telemetry.emit({ type: "failed", connection, error });
  }
}
