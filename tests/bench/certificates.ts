/**
 * The certificate of the upstream, and the authority that every peer trusts.
 *
 * @module
 */
import { ask } from "./processes.ts";

/** Paths of PEM files. */
export interface Certificates {
  /** The authority, to be trusted. */
  readonly ca: string;
  /** The upstream's certificate, for `localhost` and 127.0.0.1, with its key. */
  readonly certificate: string;
  readonly key: string;
  /** Where they come from. */
  readonly title: string;
}

const READY = new URL("../helpers/certificates/", import.meta.url).pathname;
const CONFIGURATION = `[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
authorityKeyIdentifier = keyid
`;

/** Makes an authority and a certificate; where OpenSSL 3 is not installed, returns those of the tests. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const path = (name: string): string => `${folder}/${name}`;
  Deno.writeTextFileSync(path("openssl.conf"), CONFIGURATION);
  const make = (name: string, ...words: readonly string[]): Promise<string | undefined> =>
    ask([
      ...["openssl", "req", "-x509", "-config", path("openssl.conf"), "-days", "2", "-nodes"],
      ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
      ...["-keyout", path(`${name}.key`), "-out", path(`${name}.pem`), "-extensions", name],
      ...words,
    ]);
  const isMade = await make("ca", "-subj", "/CN=wsfetch benchmark CA") !== undefined &&
    await make(
        ...["leaf", "-subj", "/CN=localhost", "-CA", path("ca.pem"), "-CAkey", path("ca.key")],
      ) !== undefined;
  return isMade
    ? {
      ca: path("ca.pem"),
      certificate: path("leaf.pem"),
      key: path("leaf.key"),
      title: "a certificate of this run (ECDSA P-256)",
    }
    : {
      ca: `${READY}ca.pem`,
      certificate: `${READY}localhost.pem`,
      key: `${READY}localhost.key`,
      title: "the certificate of the tests (ECDSA P-256)",
    };
}
