#!/usr/bin/env bash
# A certificate authority for development and tests, and certificates of it. It takes openssl.
#
#   examples/tls/dev_ca.sh FOLDER NAME...
#
# Writes FOLDER/ca.pem and FOLDER/ca.key once, and FOLDER/NAME.pem and FOLDER/NAME.key each time. A
# certificate is for the DNS name NAME, localhost and 127.0.0.1, for servers and for clients.
# Whoever reads ca.key can make certificates that are believed: use it for nothing else.
set -euo pipefail

folder=$1
shift
mkdir -p "$folder"
umask 077

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

if [ ! -f "$folder/ca.pem" ]; then
    new_key "$folder/ca.key"
    openssl req -x509 -new -key "$folder/ca.key" -sha256 -days 365 -out "$folder/ca.pem" \
        -subj "/CN=Deepclone development CA"
fi

for name in "$@"; do
    new_key "$folder/$name.key"
    openssl req -new -key "$folder/$name.key" -subj "/CN=$name" |
        openssl x509 -req -sha256 -days 90 -CA "$folder/ca.pem" -CAkey "$folder/ca.key" \
            -set_serial "0x$(openssl rand -hex 16)" -out "$folder/$name.new" -extfile <(
                echo "subjectAltName=DNS:$name,DNS:localhost,IP:127.0.0.1"
                echo "extendedKeyUsage=serverAuth,clientAuth"
                echo "basicConstraints=critical,CA:FALSE"
            ) 2> /dev/null
    # In one step, for a server that reads it again.
    mv "$folder/$name.new" "$folder/$name.pem"
done
