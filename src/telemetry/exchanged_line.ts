/**
 * Exchanges as lines of JSON. Each exchange has a line, so these lines are assembled by hand: JSON.stringify takes
 * longer and leaves garbage, and searching texts for secrets that were searched before takes time as well.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { LineBuffer } from "./line_buffer.ts";
import type { WriteLine } from "./output.ts";
import { Recent } from "./recent.ts";
import { redactFields, type Redaction } from "./redaction.ts";
import type { ExchangedEvent } from "./telemetry.ts";

/** The fields that are often the same in many exchanges. */
type CommonFields = { readonly [Name in CommonName]?: ExchangedEvent[Name] | undefined };

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

/** Common fields, and the part of the line that they become. */
interface EncodedFields {
  readonly fields: CommonFields;
  readonly bytes: Uint8Array;
}

// The number of combinations that are kept: searching more of them would take longer than it saves.
const MAX_ENCODED = 16;
// Connections whose names are kept at least. More would cost memory for as long as many come and go.
const MAX_CONNECTIONS = 512;
const SECOND_MS = 1000;

const ZERO = 0x30;
const EXCHANGE = encode(',"exchange":');
const TRACE_ID = encode(',"traceId":');
const ID = encode(',"id":');
const REQUEST_BYTES = encode(',"requestBytes":');
const RESPONSE_BYTES = encode(',"responseBytes":');
const CONNECT_MS = encode(',"connectMs":');
const TLS_MS = encode(',"tlsMs":');
const WAIT_MS = encode(',"waitMs":');
const TOTAL_MS = encode(',"totalMs":');
const END = encode("}\n");

/**
 * Creates a function that appends an exchange as a line of JSON, with a line feed: time, level and event, then the
 * fields, without secrets.
 */
export function createWriteExchanged(
  redaction: Redaction,
  clock: Clock,
): WriteLine<ExchangedEvent> {
  const { redact } = redaction;
  const writeStart = createWriteStart();
  const names = new Recent<Uint8Array>(MAX_CONNECTIONS);
  const encoded: EncodedFields[] = [];
  let oldest = 0;
  let { version } = redaction;

  function forget(): void {
    version = redaction.version;
    names.clear();
    encoded.length = oldest = 0;
  }

  /** Returns the field of the connection, and that of the request id up to `start`, its first characters. */
  function encodeNames(connection: string, start: string): Uint8Array {
    const [name, startOfId] = [connection, start].map((text) => JSON.stringify(redact(text)));
    return encode(`,"connection":${name},"requestId":${startOfId?.slice(0, -1)}`);
  }

  const encodeStart = (connection: string): Uint8Array => encodeNames(connection, connection);

  function encodeCommon(event: ExchangedEvent): Uint8Array {
    for (const { fields, bytes } of encoded) if (isSame(fields, event)) return bytes;
    const { identity, method, upstream, host, decision, reason, outcome, status, code } = event;
    const fields = { identity, method, upstream, host, decision, reason, outcome, status, code };
    const bytes = encode(`,${JSON.stringify(redactFields(fields, redact)).slice(1, -1)}`);
    encoded[oldest] = { fields, bytes };
    oldest = (oldest + 1) % MAX_ENCODED;
    return bytes;
  }

  return (event, lines) => {
    if (redaction.version !== version) forget();
    const { connection, requestId, exchange, id } = event;
    const { requestBytes, responseBytes, connectMs, tlsMs, waitMs, totalMs } = event;
    // Everything that may throw comes first: a line that has begun cannot be removed.
    const epochMs = clock.epochMs();
    const isNamed = requestId.startsWith(connection);
    const start = isNamed ? names.find(connection, encodeStart) : encodeNames(connection, "");
    const end = redact(isNamed ? requestId.slice(connection.length) : requestId);
    const traceId = event.traceId === undefined ? undefined : redact(event.traceId);
    const common = encodeCommon(event);
    writeStart(epochMs, lines);
    lines.bytes(start);
    lines.jsonStringEnd(end);
    lines.shortBytes(EXCHANGE);
    lines.jsonNumber(exchange);
    if (traceId !== undefined) {
      lines.shortBytes(TRACE_ID);
      lines.jsonString(traceId);
    }
    if (id !== undefined) {
      lines.shortBytes(ID);
      lines.jsonNumber(id);
    }
    lines.bytes(common);
    lines.shortBytes(REQUEST_BYTES);
    lines.jsonNumber(requestBytes);
    lines.shortBytes(RESPONSE_BYTES);
    lines.jsonNumber(responseBytes);
    if (connectMs !== undefined) {
      lines.shortBytes(CONNECT_MS);
      lines.jsonThousandths(connectMs);
    }
    if (tlsMs !== undefined) {
      lines.shortBytes(TLS_MS);
      lines.jsonThousandths(tlsMs);
    }
    if (waitMs !== undefined) {
      lines.shortBytes(WAIT_MS);
      lines.jsonThousandths(waitMs);
    }
    lines.shortBytes(TOTAL_MS);
    lines.jsonThousandths(totalMs);
    lines.shortBytes(END);
  };
}

/** Creates a function that appends the start of a line, of which only the milliseconds change within a second. */
function createWriteStart(): (epochMs: number, lines: LineBuffer) => void {
  let second = NaN;
  let start = new Uint8Array();
  let millisecondsAt = 0;

  function begin(epochMs: number): void {
    const time = new Date(epochMs).toISOString();
    second = Math.floor(epochMs / SECOND_MS) * SECOND_MS;
    millisecondsAt = `{"time":"${time}`.length - "678Z".length;
    start = encode(`{"time":"${time}","level":"info","event":"exchanged"`);
  }

  return (epochMs, lines) => {
    if (!(epochMs >= second && epochMs < second + SECOND_MS)) begin(epochMs);
    const milliseconds = epochMs - second;
    start[millisecondsAt] = ZERO + ((milliseconds / 100) | 0);
    start[millisecondsAt + 1] = ZERO + ((milliseconds / 10) | 0) % 10;
    start[millisecondsAt + 2] = ZERO + milliseconds % 10;
    lines.bytes(start);
  };
}

/** Compares the host last: each event has a string of its own for it, whose characters have to be compared. */
function isSame(a: CommonFields, b: CommonFields): boolean {
  return a.upstream === b.upstream && a.status === b.status && a.method === b.method &&
    a.identity === b.identity && a.outcome === b.outcome && a.decision === b.decision &&
    a.reason === b.reason && a.code === b.code && a.host === b.host;
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
