#!/bin/sh
# Makes the users of users.acl for the keyspaces in $KEYSPACES and with the hashes of the passwords, then replaces itself
# by the Redis server. The password of each user is a file redis_<user>_password in $SECRETS.
# KEYSPACES has one name; two, with a space between, while a keyspace is built beside another.
set -euf
umask 077

SECRETS="${SECRETS:-/run/secrets}"
RULES="${RULES:-/etc/redis/users.acl}"
LOADED="${LOADED:-/run/redis/users.acl}"
KEYSPACES="${KEYSPACES:-schedules}"

for keyspace in $KEYSPACES; do
    case "$keyspace" in
    *[!a-z0-9_.-]*)
        echo "start.sh: KEYSPACES: not the name of a keyspace: $keyspace" >&2
        exit 1
        ;;
    esac
done

# A pattern with @keyspace@ in it is repeated for each keyspace. The first one of a selector keeps its parenthesis.
rules=$(awk -v keyspaces="$KEYSPACES" '
BEGIN { count = split(keyspaces, names, " "); if (count == 0) exit 1 }
{
    line = ""
    for (i = 1; i <= NF; i++) {
        copies = index($i, "@keyspace@") ? count : 1
        for (n = 1; n <= copies; n++) {
            rule = $i
            gsub(/@keyspace@/, names[n], rule)
            if (n > 1) sub(/^\(/, "", rule)
            line = line (line == "" ? "" : " ") rule
        }
    }
    print line
}' "$RULES")

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
