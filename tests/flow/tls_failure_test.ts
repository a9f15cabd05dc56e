/**
 * What a request to an `https:` URL fails with, by either HTTP client: every fault of a certificate, of a handshake and of a
 * connection after it, with real servers.
 */
import { assertEquals, assertMatch } from "@std/assert";
import tls from "node:tls";
import { failure } from "../forward/make_request.ts";
import { type HttpClientName, testEach } from "../helpers/http_clients.ts";
import { type RawConnection, startHttp, startRaw, type Upstream } from "../helpers/upstream.ts";

const folder = new URL("../helpers/certificates/faulty/", import.meta.url);
const read = (name: string): string => Deno.readTextFileSync(new URL(name, folder));
const key = read("server.key");
const caCerts = [read("ca.pem")];

type Start = () => Upstream | Promise<Upstream>;

/** Starts a server that presents a certificate of the folder. */
function presenting(name: string): Start {
  return () => startHttp(() => new Response(), { cert: read(`${name}.pem`), key });
}

/** Starts a server that reads the first message of a handshake and then does something else. */
function speaking(script: (connection: RawConnection) => void | Promise<void>): Start {
  return () =>
    startRaw(async (connection) => {
      await connection.read();
      await script(connection);
      connection.close();
    });
}

/** A fatal alert (RFC 8446 §6), in a record that says TLS 1.2. */
function alert(description: number): Start {
  return speaking((connection) =>
    connection.write(new Uint8Array([21, 3, 3, 0, 2, 2, description]))
  );
}

/** Starts a server for one version of TLS that reads a request over TLS and then does something else. */
function securely(
  version: tls.SecureVersion,
  act: (socket: tls.TLSSocket) => void,
  options: tls.TlsOptions = {},
): Start {
  return async () => {
    const versions = { minVersion: version, maxVersion: version };
    const sockets = new Set<tls.TLSSocket>();
    const server = tls.createServer(
      { cert: read("valid.pem"), key, ...versions, ...options },
      (socket) => {
        sockets.add(socket);
        socket.on("error", () => {});
        socket.once("data", () => act(socket));
      },
    );
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    return {
      port,
      origin: `https://127.0.0.1:${port}`,
      async [Symbol.asyncDispose](): Promise<void> {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  };
}

const DEMANDING = { requestCert: true, rejectUnauthorized: true, ca: read("ca.pem") };

/** The code, `sent`, whether a GET may be repeated, and a part of the message. */
type Expected = readonly [code: string, sent: string, retryable: boolean, message: RegExp];

const CERTIFICATE = ["tls_certificate_error", "no", false] as const;
const HANDSHAKE = ["tls_protocol_error", "no", false] as const;
const CUT: Expected = ["connection_terminated", "no", true, /during the TLS handshake/];
const LOST: Expected = ["connection_terminated", "maybe", true, /before it responded/];

const FAULTS: readonly { name: string; start: Start; expected: Expected }[] = [
  {
    name: "an expired certificate",
    start: presenting("expired"),
    expected: [...CERTIFICATE, /has expired/],
  },
  {
    name: "a certificate that is not valid yet",
    start: presenting("not_yet_valid"),
    expected: [...CERTIFICATE, /not valid yet/],
  },
  {
    name: "a certificate for another name",
    start: presenting("other_name"),
    expected: [...CERTIFICATE, /not valid for the host/],
  },
  {
    name: "a certificate that is not for servers",
    start: presenting("client_only"),
    expected: [...CERTIFICATE, /not issued for servers/],
  },
  {
    name: "a certificate that signs itself",
    start: presenting("self_signed"),
    expected: [...CERTIFICATE, /DENO_CERT.*"tls\.ca"/],
  },
  {
    name: "an authority's certificate that signs itself",
    start: presenting("self_signed_authority"),
    expected: [...CERTIFICATE, /self-signed/],
  },
  { name: "no common version of TLS", start: alert(70), expected: [...HANDSHAKE, /TLS 1\.2/] },
  { name: "no common cipher suite", start: alert(40), expected: [...HANDSHAKE, /cipher suite/] },
  { name: "an unknown name", start: alert(112), expected: [...HANDSHAKE, /does not serve/] },
  {
    name: "no common version of HTTP",
    start: alert(120),
    expected: [...HANDSHAKE, /version of HTTP/],
  },
  {
    name: "a server that speaks HTTP without TLS",
    start: speaking((connection) => connection.write("HTTP/1.1 400 Bad Request\r\n\r\n")),
    expected: [...HANDSHAKE, /does not speak TLS/],
  },
  {
    name: "a server that wants a certificate over TLS 1.2",
    start: securely("TLSv1.2", (socket) => socket.end(), DEMANDING),
    expected: [...HANDSHAKE, /requires a client certificate/],
  },
  {
    name: "a server that wants a certificate over TLS 1.3",
    start: securely("TLSv1.3", (socket) => socket.end(), DEMANDING),
    expected: ["tls_protocol_error", "maybe", false, /requires a client certificate/],
  },
  { name: "a close in the handshake", start: speaking(() => {}), expected: CUT },
  {
    name: "a close within the server's first record",
    start: speaking((connection) => connection.write(new Uint8Array([22, 3, 3, 0, 80, 2]))),
    expected: CUT,
  },
  {
    name: "a close_notify in the handshake",
    start: speaking((connection) => connection.write(new Uint8Array([21, 3, 3, 0, 2, 1, 0]))),
    expected: CUT,
  },
  {
    name: "an end with close_notify after the request, TLS 1.3",
    start: securely("TLSv1.3", (socket) => socket.end()),
    expected: LOST,
  },
  {
    name: "an end without close_notify after the request, TLS 1.2",
    start: securely("TLSv1.2", (socket) => socket.destroy()),
    expected: LOST,
  },
  {
    name: "an end without close_notify after the request, TLS 1.3",
    start: securely("TLSv1.3", (socket) => socket.destroy()),
    expected: LOST,
  },
];

async function fail(
  by: HttpClientName,
  start: Start,
  method: string,
): Promise<readonly [string, string, boolean, string]> {
  await using server = await start();
  const { code, sent, retryable, message } = await failure(
    by,
    `https://localhost:${server.port}/`,
    { method, caCerts },
  );
  return [code, sent, retryable, message];
}

for (const { name, start, expected: [code, sent, retryable, part] } of FAULTS) {
  testEach(`https: ${name} is ${code}`, async (by) => {
    const [ofCode, ofSent, ofRetryable, message] = await fail(by, start, "GET");
    assertEquals([ofCode, ofSent, ofRetryable], [code, sent, retryable]);
    assertMatch(message, part);
    assertEquals(/localhost|127\.0|other\.example/.test(message), false, message);
    // What was not sent may be repeated whatever the method; else only what is idempotent.
    const [, , ofPost] = await fail(by, start, "POST");
    assertEquals(ofPost, sent === "no" && retryable);
  });
}
