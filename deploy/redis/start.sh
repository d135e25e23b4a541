#!/bin/sh
# Writes the hashes of the passwords into users.acl, then replaces itself by the Redis server.
# The password of each user is a file redis_<user>_password in $SECRETS.
set -eu
umask 077

SECRETS="${SECRETS:-/run/secrets}"
RULES="${RULES:-/etc/redis/users.acl}"
LOADED="${LOADED:-/run/redis/users.acl}"

rules=$(cat "$RULES")
for user in pipeline operator monitoring delivery pusher; do
    password=$(cat "$SECRETS/redis_${user}_password")
    if [ -z "$password" ]; then
        echo "start.sh: $SECRETS/redis_${user}_password is empty" >&2
        exit 1
    fi
    hash=$(printf %s "$password" | sha256sum | cut -d " " -f 1)
    rules=$(printf '%s\n' "$rules" | sed "s/#@${user}@/#${hash}/")
done
printf '%s\n' "$rules" >"$LOADED"

exec "$@"
