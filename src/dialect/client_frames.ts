/**
 * The schemas of the frames of wsfetch.v1 that a client sends, one row for each member.
 *
 * @module
 */
import {
  type AuthFrame,
  type CancelFrame,
  type ClientFrame,
  type GrantFrame,
  MAX_ID,
  type PingFrame,
  type RequestFrame,
} from "../protocol/mod.ts";
import { headersCheck, methodCheck, queryCheck } from "./fields.ts";
import { FrameSchema } from "./frame_schema.ts";
import { memberWithDefault, optionalMember, requiredMember } from "./member.ts";
import { oneCombination, onlyWith } from "./rules.ts";
import {
  amountValue,
  anyValue,
  integerValue,
  oneOfValues,
  shortString,
  stringValue,
  type ValueCheck,
} from "./value_check.ts";

// A pong repeats the text of a ping. RFC 6455 §5.5 allows 125 bytes in a WebSocket ping.
const MAX_PING_LENGTH = 125;

/** The values of the `id` of an exchange. */
export const exchangeIdCheck: ValueCheck<number> = integerValue(1, MAX_ID);

const request = new FrameSchema<RequestFrame>(
  "Asks the server to make an HTTP request; starts the exchange `id`.",
  {
    type: requiredMember(oneOfValues("request"), "The type of the frame."),
    id: requiredMember(
      exchangeIdCheck,
      `An integer from 1 to ${MAX_ID} that no other exchange in flight has.`,
    ),
    url: optionalMember(
      stringValue(),
      "An absolute http or https URL, or `name:/path` for a path below a named upstream.",
    ),
    upstream: optionalMember(
      stringValue(),
      "The name of an upstream; with `path`, instead of `url`.",
    ),
    path: optionalMember(
      stringValue(),
      "A path below the base URL of the upstream, with its query; begins with `/`.",
    ),
    method: memberWithDefault(
      methodCheck,
      "GET",
      "The HTTP method; the server converts it to upper case.",
    ),
    headers: optionalMember(headersCheck, "The header fields of the request."),
    query: optionalMember(queryCheck, "Parameters to append to the query of the URL."),
    json: optionalMember(
      anyValue(),
      "A JSON body; the server sends it byte for byte as it stands in the frame.",
    ),
    text: optionalMember(stringValue(), "A text body; the server sends it in UTF-8."),
    base64: optionalMember(
      stringValue({ contentEncoding: "base64" }),
      "A body of arbitrary bytes in base64 (RFC 4648 §4).",
    ),
    bodyFollows: optionalMember(
      oneOfValues(true),
      "The body follows in binary chunks, the last of them with FIN.",
    ),
    timeoutMs: optionalMember(
      amountValue("milliseconds", 1),
      "The time limit in milliseconds for the whole response, or with `stream` for its head. With " +
        "`bodyFollows` the time starts again after each chunk until the destination has taken the " +
        "last one. The server sets the default and the maximum.",
    ),
    redirect: memberWithDefault(
      oneOfValues("follow", "manual", "error"),
      "follow",
      "How to handle redirects.",
    ),
    decode: memberWithDefault(
      oneOfValues(true, false),
      true,
      "Whether the server decodes the content codings of the response, so that its body and fields are " +
        "those of the decoded body.",
    ),
    stream: memberWithDefault(
      oneOfValues(false, true, "events", "lines"),
      false,
      "How to send the body of the response.",
    ),
    windowBytes: optionalMember(
      amountValue("bytes", 0),
      "With `stream: true`: the initial credit in payload bytes. Absent: the server needs no credit.",
    ),
  },
  [
    oneCombination("a request has one destination", ["url"], ["upstream", "path"]),
    oneCombination("a request has one body", [], ["json"], ["text"], ["base64"], ["bodyFollows"]),
    onlyWith("windowBytes", "stream", true),
  ],
);

const cancel = new FrameSchema<CancelFrame>(
  "Cancels the exchange `id`; the server sends nothing more for it.",
  {
    type: requiredMember(oneOfValues("cancel"), "The type of the frame."),
    id: requiredMember(exchangeIdCheck, "The id of the exchange."),
  },
);

const grant = new FrameSchema<GrantFrame>(
  "Allows the other end to send more payload bytes of chunks: from a client, for a download that began " +
    "with `windowBytes`; from a server, for an upload.",
  {
    type: requiredMember(oneOfValues("grant"), "The type of the frame."),
    id: requiredMember(exchangeIdCheck, "The id of the exchange."),
    bytes: requiredMember(
      amountValue("bytes", 1),
      "The additional credit in payload bytes, from 1 to 2^53 - 1.",
    ),
  },
);

const ping = new FrameSchema<PingFrame>(
  "Asks for a `PongFrame`; for clients that cannot send WebSocket pings.",
  {
    type: requiredMember(oneOfValues("ping"), "The type of the frame."),
    data: optionalMember(
      shortString(MAX_PING_LENGTH),
      "A text that the server returns in its `PongFrame`.",
    ),
  },
);

const auth = new FrameSchema<AuthFrame>(
  "Replaces the credential of the connection; the identity must stay the same.",
  {
    type: requiredMember(oneOfValues("auth"), "The type of the frame."),
    token: requiredMember(
      stringValue(),
      "A bearer token, as it would stand in `Authorization` after `Bearer`.",
    ),
  },
);

/** The schemas of the frames that a client sends, by type. */
export const CLIENT_FRAMES: {
  readonly [Frame in ClientFrame as Frame["type"]]: FrameSchema<Frame>;
} = { request, cancel, grant, ping, auth };
