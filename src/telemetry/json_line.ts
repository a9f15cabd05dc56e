/**
 * Log records as lines of JSON.
 *
 * @module
 */
import type { LogRecord, TextFormatter } from "@logtape/logtape";
import type { ExchangedEvent } from "./telemetry.ts";

// What comes again and again is a name: of a connection, an identity, a host, a reason.
const MAX_KNOWN_LENGTH = 256;
// Of each field. Whoever comes with others all the time is served without memory.
const MAX_KNOWN = 1000;

/** Creates a LogTape formatter that gives a line without its end: time, level and event, then the fields. */
export function createToJsonLine(): TextFormatter {
  const toStart = createToStart();
  const toExchangedFields = createToExchangedFields();
  return (record) => {
    const start = toStart(record);
    if (record.rawMessage === "exchanged") {
      return `${start}${toExchangedFields(record.properties)}}`;
    }
    const fields = JSON.stringify(record.properties).slice(1);
    return fields === "}" ? `${start}}` : `${start},${fields}`;
  };
}

/** The level as the settings call it. */
export function toLevel({ level }: LogRecord): string {
  return level === "warning" ? "warn" : level;
}

/** Lines of one event and one millisecond have the same start. */
function createToStart(): TextFormatter {
  let timestamp = NaN;
  let event = "";
  let start = "";
  return (record) => {
    if (record.timestamp === timestamp && record.rawMessage === event) return start;
    timestamp = record.timestamp;
    event = String(record.rawMessage);
    const time = new Date(timestamp).toISOString();
    start = join(
      '{"time":"',
      time,
      '","level":"',
      toLevel(record),
      '","event":"',
      escape(event),
      '"',
    );
    return start;
  };
}

/** The one line of an exchange is written by hand: JSON.stringify takes twice as long. */
function createToExchangedFields(): (fields: Partial<ExchangedEvent>) => string {
  const toConnection = createField("connection");
  const toIdentity = createField("identity");
  const toMethod = createField("method");
  const toUpstream = createField("upstream");
  const toHost = createField("host");
  const toDecision = createField("decision");
  const toReason = createField("reason");
  const toOutcome = createField("outcome");
  const toCode = createField("code");
  return (fields) => {
    const { connection, exchange, requestId, traceId, id, identity, method, upstream } = fields;
    const { host, decision, reason, outcome, status, code } = fields;
    const { requestBytes, responseBytes, waitMs, totalMs } = fields;
    let text = "";
    if (connection !== undefined) text += toConnection(connection);
    if (exchange !== undefined) text += `,"exchange":${exchange}`;
    if (requestId !== undefined) text += `,"requestId":"${escape(requestId)}"`;
    if (traceId !== undefined) text += `,"traceId":"${escape(traceId)}"`;
    if (id !== undefined) text += `,"id":${id}`;
    if (identity !== undefined) text += toIdentity(identity);
    if (method !== undefined) text += toMethod(method);
    if (upstream !== undefined) text += toUpstream(upstream);
    if (host !== undefined) text += toHost(host);
    if (decision !== undefined) text += toDecision(decision);
    if (reason !== undefined) text += toReason(reason);
    if (outcome !== undefined) text += toOutcome(outcome);
    if (status !== undefined) text += `,"status":${status}`;
    if (code !== undefined) text += toCode(code);
    if (requestBytes !== undefined) text += `,"requestBytes":${requestBytes}`;
    if (responseBytes !== undefined) text += `,"responseBytes":${responseBytes}`;
    if (waitMs !== undefined) text += `,"waitMs":${encodeMs(waitMs)}`;
    if (totalMs !== undefined) text += `,"totalMs":${encodeMs(totalMs)}`;
    return text;
  };
}

/** Gives what encodes a field of this name, and remembers how: a member of JSON with a comma before it. */
function createField(name: string): (value: string) => string {
  const known = new Map<string, string>();

  function encode(value: string): string {
    const field = join(',"', name, '":"', escape(value), '"');
    if (value.length > MAX_KNOWN_LENGTH) return field;
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(value, field);
    return field;
  }

  return (value) => known.get(value) ?? encode(value);
}

const NEEDS_ESCAPE = /[^ !#-[\]-~]/;

/** V8 keeps a text that was put together as its pieces, and would copy them into every line one by one. */
function join(...pieces: readonly string[]): string {
  return pieces.join("");
}

function escape(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text).slice(1, -1) : text;
}

// Of thousandths: ".5" of 500.
const FRACTIONS = Array.from(
  { length: 1000 },
  (_, thousandths) => String(thousandths / 1000).slice(1),
);

/** Durations have at most three digits behind the point. JavaScript does not know, and has to find out. */
function encodeMs(ms: number): string {
  const thousandths = Math.round(ms * 1000);
  const isExact = thousandths / 1000 === ms && thousandths >= 0 && thousandths < 2 ** 31;
  if (!isExact) return JSON.stringify(ms);
  const whole = Math.floor(thousandths / 1000);
  return `${whole}${FRACTIONS[thousandths - whole * 1000]}`;
}
