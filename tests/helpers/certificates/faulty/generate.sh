#!/bin/sh
# Makes the certificates of this folder anew, with OpenSSL 3: an authority, and certificates that have one fault each. All
# have the same key, which is no secret. The key of the authority is not kept.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
new_key "$work/ca.key"
new_key server.key
openssl req -x509 -new -key "$work/ca.key" -days 36500 -subj "/CN=wsfetch test CA of faults" \
  -addext keyUsage=critical,keyCertSign,cRLSign -out ca.pem 2>/dev/null

: > "$work/index.txt"
cat > "$work/ca.cnf" <<END
[ca]
default_ca = authority
[authority]
database = $work/index.txt
new_certs_dir = $work
default_md = sha256
policy = names
rand_serial = yes
unique_subject = no
[names]
commonName = supplied
END

# issue FILE NAMES START END [EXTENSION]
issue() {
  openssl req -new -key server.key -subj "/CN=$1" -out "$work/request.pem"
  printf 'basicConstraints=CA:FALSE\nsubjectAltName=%s\n%s\n' "$2" "${5:-}" > "$work/extensions.cnf"
  openssl ca -batch -notext -config "$work/ca.cnf" -cert ca.pem -keyfile "$work/ca.key" -in "$work/request.pem" \
    -startdate "$3" -enddate "$4" -extfile "$work/extensions.cnf" -out "$1.pem" 2>/dev/null
}

ours=DNS:localhost,IP:127.0.0.1
issue valid "$ours" 20200101000000Z 21200101000000Z
issue expired "$ours" 20200101000000Z 20200102000000Z
issue not_yet_valid "$ours" 21190101000000Z 21200101000000Z
issue other_name DNS:other.example 20200101000000Z 21200101000000Z
issue client_only "$ours" 20200101000000Z 21200101000000Z extendedKeyUsage=clientAuth

self_sign() {
  openssl req -new -key server.key -subj /CN=localhost -out "$work/request.pem"
  printf 'basicConstraints=critical,CA:%s\nsubjectAltName=%s\n' "$2" "$ours" > "$work/extensions.cnf"
  openssl ca -batch -notext -selfsign -config "$work/ca.cnf" -keyfile server.key -in "$work/request.pem" \
    -startdate 20200101000000Z -enddate 21200101000000Z -extfile "$work/extensions.cnf" -out "$1.pem" 2>/dev/null
}
self_sign self_signed FALSE
self_sign self_signed_authority TRUE
