#!/bin/sh
# Makes the secrets of deploy/compose.yaml in deploy/secrets, which neither the image nor the repository holds:
# passwords for each user of Redis, for Postgres, for Grafana and for Celery's broker, a certificate for Redis, and the webhook secret.
set -eu
umask 077  # the folder, and the files that no container gets

directory="${1:-$(dirname "$0")/../secrets}"
mkdir -p "$directory"
cd "$directory"

for name in redis_pipeline redis_operator redis_monitoring redis_delivery redis_pusher postgres grafana broker; do
    [ -s "${name}_password" ] || openssl rand -hex 24 >"${name}_password"
done

if [ ! -s redis_certificate ]; then
    openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj "/CN=schedules local authority" \
        -keyout redis_authority_key -out redis_authority 2>/dev/null
    openssl req -newkey rsa:3072 -nodes -subj "/CN=redis" -keyout redis_key -out redis_request 2>/dev/null
    printf 'subjectAltName=DNS:redis,DNS:localhost,IP:127.0.0.1\n' >redis_names
    openssl x509 -req -in redis_request -CA redis_authority -CAkey redis_authority_key -days 825 \
        -extfile redis_names -out redis_certificate 2>/dev/null
    rm redis_request redis_names
fi

url() { printf 'SCHEDULES_REDIS_URL=rediss://%s:%s@redis:6379/0?ssl_ca_certs=/run/secrets/redis_authority\n' "$1" "$(cat "redis_$1_password")"; }
[ -s webhook_master_secret ] || openssl rand -hex 32 >webhook_master_secret
signs() { printf 'SCHEDULES_WEBHOOK_MASTER_SECRET=%s\n' "$(cat webhook_master_secret)"; }
for user in pipeline operator monitoring delivery pusher; do url "$user" >"$user.env"; done
for user in operator pusher; do signs >>"$user.env"; done
printf 'DAGSTER_PG_PASSWORD=%s\n' "$(cat postgres_password)" >dagster.env

# For deploy/celery alone.
printf 'DAGSTER_CELERY_BROKER_URL=redis://:%s@broker:6379/0\n' "$(cat broker_password)" >broker.env

# Containers have other users, and the files are mounted one by one, so these files are readable; the folder is not.
chmod 0644 ./*_password redis_certificate redis_key redis_authority
