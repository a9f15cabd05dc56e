import { assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { toLateTlsFailure, toTlsFailure } from "../../src/http/tls_failure.ts";

// What rustls, or the system, says of a handshake; the code and a part of the message. Seen with real servers.
const HANDSHAKES = `
invalid peer certificate: certificate expired: verification time 1796113406 (UNIX), but certificate is not valid after 1577923200 (218190206 seconds ago) | tls_certificate_error | has expired
invalid peer certificate: Expired | tls_certificate_error | has expired
invalid peer certificate: certificate not valid yet: verification time 1 (UNIX), but certificate is not valid before 2 (1 seconds in future) | tls_certificate_error | not valid yet
invalid peer certificate: certificate not valid for name "localhost"; certificate is only valid for DnsName("other.example") | tls_certificate_error | not valid for the host
invalid peer certificate: NotValidForName | tls_certificate_error | not valid for the host
invalid peer certificate: UnknownIssuer | tls_certificate_error | DENO_CERT
invalid peer certificate: Other(OtherError(CaUsedAsEndEntity)) | tls_certificate_error | self-signed
invalid peer certificate: certificate does not allow extended key usage for server authentication, allows client authentication | tls_certificate_error | not issued for servers
invalid peer certificate: BadEncoding | tls_certificate_error | is not valid
invalid peer certificate: certificate not valid for name "x"; certificate is only valid for DnsName("certificate expired") | tls_certificate_error | not valid for the host
received fatal alert: ProtocolVersion | tls_protocol_error | TLS 1.2
peer is incompatible: ServerDoesNotSupportTls12Or13 | tls_protocol_error | TLS 1.2
peer is incompatible: ServerTlsVersionIsDisabledByOurConfig | tls_protocol_error | TLS 1.2
peer is incompatible: NoCipherSuitesInCommon | tls_protocol_error | TLS connection
peer misbehaved: SelectedUnusableTlsVersion | tls_protocol_error | TLS connection
received corrupt message of type InvalidContentType | tls_protocol_error | does not speak TLS
received fatal alert: HandshakeFailure | tls_protocol_error | cipher suite
received fatal alert: CertificateRequired | tls_protocol_error | client certificate
received fatal alert: BadCertificate | tls_protocol_error | client certificate
received fatal alert: UnknownCA | tls_protocol_error | client certificate
received fatal alert: UnrecognisedName | tls_protocol_error | does not serve the host
received fatal alert: NoApplicationProtocol | tls_protocol_error | version of HTTP
received fatal alert: InternalError | tls_protocol_error | TLS connection
received fatal alert: AlertDescription(0xc8) | tls_protocol_error | TLS connection
tls handshake eof | connection_terminated | during the TLS handshake
unexpected end of file | connection_terminated | during the TLS handshake
connection reset | connection_terminated | during the TLS handshake
Connection reset by peer (os error 104) | connection_terminated | during the TLS handshake
Broken pipe (os error 32) | connection_terminated | during the TLS handshake
something new | tls_protocol_error | TLS
`.trim().split("\n").map((row) => row.split(" | "));

for (const [text = "", code, part = ""] of HANDSHAKES) {
  Deno.test(`toTlsFailure() reads ${text}`, () => {
    const thrown = new Error(text);
    const error = toTlsFailure(thrown);
    const isRetryable = code === "connection_terminated";
    assertEquals([error.code, error.sent, error.retryable], [code, "no", isRetryable]);
    assertMatch(error.message, new RegExp(part));
    assertMatch(error.message, /^[A-Z][^\n]+[^.\n]$/);
    assertStrictEquals(error.cause, thrown);
  });
}

Deno.test("toTlsFailure() takes a text that another one contains, and errors of the system without one", () => {
  const thrown = new TypeError("fetch failed");
  assertEquals(toTlsFailure(thrown, "tls handshake eof").code, "connection_terminated");
  for (const end of [Deno.errors.ConnectionReset, Deno.errors.UnexpectedEof]) {
    assertEquals(toTlsFailure(new end("")).code, "connection_terminated");
  }
  assertEquals(toTlsFailure(undefined).code, "tls_protocol_error");
});

Deno.test("toTlsFailure() never repeats what the destination has chosen", () => {
  for (const [text = ""] of HANDSHAKES) {
    assertEquals(
      /other\.example|UNIX|1796113406/.test(toTlsFailure(new Error(text)).message),
      false,
    );
  }
});

// After the handshake: code, retryable with GET, retryable with POST.
const LATE = [
  ["received fatal alert: CertificateRequired", "tls_protocol_error", false, false],
  ["received fatal alert: UnknownCA", "tls_protocol_error", false, false],
  ["received corrupt message of type InvalidContentType", "tls_protocol_error", false, false],
  ["cannot decrypt peer's message", "tls_protocol_error", false, false],
  [
    "peer closed connection without sending TLS close_notify: https://",
    "connection_terminated",
    true,
    false,
  ],
  ["Connection reset by peer (os error 104)", "connection_terminated", true, false],
  ["unexpected end of file", "connection_terminated", true, false],
  ["something new", "connection_terminated", true, false],
] as const;

for (const [text, ...expected] of LATE) {
  Deno.test(`toLateTlsFailure() reads ${text}: the request may have been sent`, () => {
    const thrown = new Error(text);
    const [get, post] = [toLateTlsFailure(thrown, "GET"), toLateTlsFailure(thrown, "POST")];
    assertEquals([get.code, get.retryable, post.retryable], [...expected]);
    assertEquals([get.sent, post.sent, get.cause], ["maybe", "maybe", thrown]);
  });
}
