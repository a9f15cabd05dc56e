/**
 * Exchanges as lines of JSON. Each exchange is a line, so that it is written by hand: JSON.stringify takes longer
 * and leaves garbage, and so does a search for secrets in texts that were searched before.
 *
 * @module
 */
import type { LineBuffer } from "./line_buffer.ts";
import type { WriteLine } from "./output.ts";
import { type Redaction, redactProperties } from "./redaction.ts";
import type { ExchangedEvent } from "./telemetry.ts";

/** What lines are made with. */
export interface ExchangedLineOptions {
  /** Takes secrets out of every text. */
  readonly redaction: Redaction;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What many exchanges have in common. */
type Common = { readonly [Name in CommonName]?: ExchangedEvent[Name] | undefined };

type CommonName =
  | "identity"
  | "method"
  | "upstream"
  | "host"
  | "decision"
  | "reason"
  | "outcome"
  | "status"
  | "code";

/** How it was written. */
interface Known {
  readonly common: Common;
  readonly members: Uint8Array;
}

// As many as there may be kinds of exchanges at a time: to look through more would cost more than it saves.
const MAX_KNOWN = 16;
const MAX_CONNECTIONS = 4096;
const SECOND_MS = 1000;

const ZERO = 0x30;
const EXCHANGE = encode(',"exchange":');
const TRACE_ID = encode(',"traceId":');
const ID = encode(',"id":');
const REQUEST_BYTES = encode(',"requestBytes":');
const RESPONSE_BYTES = encode(',"responseBytes":');
const WAIT_MS = encode(',"waitMs":');
const TOTAL_MS = encode(',"totalMs":');
const END = encode("}\n");

/** Creates what writes an exchange as a line of JSON, with its end: time, level and event, then the fields. */
export function createWriteExchanged(
  { redaction, now }: ExchangedLineOptions,
): WriteLine<ExchangedEvent> {
  const { redact } = redaction;
  const writeStart = createWriteStart();
  const names = new Map<string, Uint8Array>();
  const known: Known[] = [];
  let oldest = 0;
  let { version } = redaction;

  function forget(): void {
    version = redaction.version;
    names.clear();
    known.length = oldest = 0;
  }

  /** The connection, and how the name of the exchange begins. */
  function encodeNames(connection: string, start: string): Uint8Array {
    const [name, startOfId] = [connection, start].map((text) => JSON.stringify(redact(text)));
    return encode(`,"connection":${name},"requestId":${startOfId?.slice(0, -1)}`);
  }

  function findNames(connection: string): Uint8Array {
    let bytes = names.get(connection);
    if (bytes === undefined) {
      bytes = encodeNames(connection, connection);
      if (names.size >= MAX_CONNECTIONS) names.clear();
      names.set(connection, bytes);
    }
    return bytes;
  }

  function encodeCommon(event: ExchangedEvent): Uint8Array {
    for (const { common, members } of known) if (isSame(common, event)) return members;
    const { identity, method, upstream, host, decision, reason, outcome, status, code } = event;
    const common = { identity, method, upstream, host, decision, reason, outcome, status, code };
    const members = encode(`,${JSON.stringify(redactProperties(common, redact)).slice(1, -1)}`);
    known[oldest] = { common, members };
    oldest = (oldest + 1) % MAX_KNOWN;
    return members;
  }

  return (event, lines) => {
    if (redaction.version !== version) forget();
    const { connection, requestId, exchange, id } = event;
    const { requestBytes, responseBytes, waitMs, totalMs } = event;
    // What may throw comes first: a line that has begun cannot be taken back.
    const timestamp = now();
    const isNamed = requestId.startsWith(connection);
    const start = isNamed ? findNames(connection) : encodeNames(connection, "");
    const end = redact(isNamed ? requestId.slice(connection.length) : requestId);
    const traceId = event.traceId === undefined ? undefined : redact(event.traceId);
    const common = encodeCommon(event);
    writeStart(timestamp, lines);
    lines.bytes(start);
    lines.endString(end);
    lines.few(EXCHANGE);
    lines.number(exchange);
    if (traceId !== undefined) {
      lines.few(TRACE_ID);
      lines.string(traceId);
    }
    if (id !== undefined) {
      lines.few(ID);
      lines.number(id);
    }
    lines.bytes(common);
    lines.few(REQUEST_BYTES);
    lines.number(requestBytes);
    lines.few(RESPONSE_BYTES);
    lines.number(responseBytes);
    if (waitMs !== undefined) {
      lines.few(WAIT_MS);
      lines.thousandths(waitMs);
    }
    lines.few(TOTAL_MS);
    lines.thousandths(totalMs);
    lines.few(END);
  };
}

/** The lines of one second start alike, but for the milliseconds. */
function createWriteStart(): (timestamp: number, lines: LineBuffer) => void {
  let second = NaN;
  let start = new Uint8Array();
  let millisecondsAt = 0;

  function begin(timestamp: number): void {
    const time = new Date(timestamp).toISOString();
    second = Math.floor(timestamp / SECOND_MS) * SECOND_MS;
    millisecondsAt = `{"time":"${time}`.length - "678Z".length;
    start = encode(`{"time":"${time}","level":"info","event":"exchanged"`);
  }

  return (timestamp, lines) => {
    if (!(timestamp >= second && timestamp < second + SECOND_MS)) begin(timestamp);
    const milliseconds = timestamp - second;
    start[millisecondsAt] = ZERO + ((milliseconds / 100) | 0);
    start[millisecondsAt + 1] = ZERO + ((milliseconds / 10) | 0) % 10;
    start[millisecondsAt + 2] = ZERO + milliseconds % 10;
    lines.bytes(start);
  };
}

/** The host comes last: it is a text of its own each time, which has to be read. */
function isSame(a: Common, b: Common): boolean {
  return a.upstream === b.upstream && a.status === b.status && a.method === b.method &&
    a.identity === b.identity && a.outcome === b.outcome && a.decision === b.decision &&
    a.reason === b.reason && a.code === b.code && a.host === b.host;
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
