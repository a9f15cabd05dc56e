/**
 * The fields of an exchange as JSON. Each exchange is a line, so that it is written by hand: JSON.stringify takes
 * longer and leaves garbage.
 *
 * @module
 */
import type { LineBuffer } from "./line_buffer.ts";
import type { ExchangedEvent } from "./telemetry.ts";

/** Writes the fields of an exchange, each with a comma before it. */
export type WriteExchanged = (fields: Partial<ExchangedEvent>, lines: LineBuffer) => void;

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
  readonly bytes: Uint8Array;
}

// As many as there may be kinds of exchanges at a time: to look through more would cost more than it saves.
const MAX_KNOWN = 16;
const MAX_CONNECTIONS = 4096;

const REQUEST_ID = encode(',"requestId":');
const EXCHANGE = encode(',"exchange":');
const TRACE_ID = encode(',"traceId":');
const ID = encode(',"id":');
const REQUEST_BYTES = encode(',"requestBytes":');
const RESPONSE_BYTES = encode(',"responseBytes":');
const WAIT_MS = encode(',"waitMs":');
const TOTAL_MS = encode(',"totalMs":');

/** Creates a {@linkcode WriteExchanged}. */
export function createWriteExchanged(): WriteExchanged {
  const writePlace = createWritePlace();
  const encodeCommon = createEncodeCommon();
  return (fields, lines) => {
    const { exchange, traceId, id, requestBytes, responseBytes, waitMs, totalMs } = fields;
    writePlace(fields, lines);
    if (exchange !== undefined) {
      lines.bytes(EXCHANGE);
      lines.number(exchange);
    }
    if (traceId !== undefined) {
      lines.bytes(TRACE_ID);
      lines.string(traceId);
    }
    if (id !== undefined) {
      lines.bytes(ID);
      lines.number(id);
    }
    lines.bytes(encodeCommon(fields));
    if (requestBytes !== undefined) {
      lines.bytes(REQUEST_BYTES);
      lines.number(requestBytes);
    }
    if (responseBytes !== undefined) {
      lines.bytes(RESPONSE_BYTES);
      lines.number(responseBytes);
    }
    if (waitMs !== undefined) {
      lines.bytes(WAIT_MS);
      lines.thousandths(waitMs);
    }
    if (totalMs !== undefined) {
      lines.bytes(TOTAL_MS);
      lines.thousandths(totalMs);
    }
  };
}

/** The connection, and the name of the exchange, which begins with it. */
function createWritePlace(): WriteExchanged {
  const known = new Map<string, Uint8Array>();

  function encodeConnection(connection: string): Uint8Array {
    const text = JSON.stringify(connection);
    const bytes = encode(`,"connection":${text},"requestId":${text.slice(0, -1)}`);
    if (known.size >= MAX_CONNECTIONS) known.clear();
    known.set(connection, bytes);
    return bytes;
  }

  return ({ connection, requestId }, lines) => {
    if (connection !== undefined && requestId?.startsWith(connection)) {
      lines.bytes(known.get(connection) ?? encodeConnection(connection));
      return lines.stringFrom(requestId, connection.length);
    }
    if (connection !== undefined) lines.text(`,"connection":${JSON.stringify(connection)}`);
    if (requestId === undefined) return;
    lines.bytes(REQUEST_ID);
    lines.string(requestId);
  };
}

function createEncodeCommon(): (fields: Common) => Uint8Array {
  const known: Known[] = [];
  let oldest = 0;
  return (fields) => {
    for (const { common, bytes } of known) if (isSame(common, fields)) return bytes;
    const { identity, method, upstream, host, decision, reason, outcome, status, code } = fields;
    const common = { identity, method, upstream, host, decision, reason, outcome, status, code };
    const members = JSON.stringify(common).slice(1, -1);
    const bytes = encode(members === "" ? "" : `,${members}`);
    known[oldest] = { common, bytes };
    oldest = (oldest + 1) % MAX_KNOWN;
    return bytes;
  };
}

/** The host comes last: it is a text of its own each time, which has to be read. */
function isSame(a: Common, b: Common): boolean {
  return a.upstream === b.upstream && a.status === b.status && a.method === b.method &&
    a.identity === b.identity && a.outcome === b.outcome && a.decision === b.decision &&
    a.reason === b.reason && a.code === b.code && a.host === b.host;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
