#!/usr/bin/env bash
# Brings up a container engine with the images that testcontainers needs here, on a Debian without one. As root.
#   engine-up.sh FOLDER        then: . FOLDER/env        engine-down.sh FOLDER ends it
# The images are made of Debian's packages, and no image registry is needed.
set -euo pipefail
folder=${1:?a folder for the engine}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
export DEBIAN_FRONTEND=noninteractive DOCKER_HOST=unix://$folder/engine.sock

if ! command -v dockerd > /dev/null; then
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends docker.io; } > "$folder/install.log" 2>&1 || {
    tail -n 20 "$folder/install.log" >&2
    exit 1
  }
fi

# It leaves the firewall alone: its own proxy carries each port that it maps, and only on 127.0.0.1.
[ -e /sys/class/net/docker0 ] || touch "$folder/made-bridge"
setsid dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/engine.pid" --host "$DOCKER_HOST" \
  --iptables=false --ip-forward=false --ip-masq=false --ip 127.0.0.1 > "$folder/engine.log" 2>&1 < /dev/null &
engine=$!
for _ in $(seq 300); do
  docker version > /dev/null 2>&1 && break
  kill -0 $engine 2> /dev/null || break
  sleep 0.1
done
docker version > /dev/null 2>&1 || {
  tail -n 20 "$folder/engine.log" >&2
  exit 1
}

# image NAME DIRECTIVES… : of the folder that stands under $root
image() {
  local name=$1 changes=() directive
  shift
  for directive in "$@"; do changes+=(--change "$directive"); done
  tar -C "$root" -c . | docker import "${changes[@]}" - "$name" > /dev/null
  rm -rf "$root"
  echo "made image $name"
}

root=$folder/redis/root
"$here/fetch.sh" "$folder/redis" redis-server
mkdir -p "$root/data"
image redis:8 'WORKDIR /data' 'CMD ["redis-server"]'

root=$folder/postgres/root
"$here/fetch.sh" "$folder/postgres" postgresql dash coreutils
programs=$(cd "$root" && echo usr/lib/postgresql/*/bin)
version=$(echo "$programs" | cut -d / -f 4)
echo 'postgres:x:999:999::/data:/bin/sh' > "$root/etc/passwd"
mkdir -p "$root/data" "$root/tmp" "$root/var/run/postgresql"
chown 999:999 "$root/data" "$root/var/run/postgresql"
chmod 1777 "$root/tmp"
[ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
cat > "$root/entrypoint" <<'SCRIPT'
#!/bin/sh
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb -U postgres -A trust -E UTF8 --no-locale --no-sync > /dev/null
  echo 'host all all all trust' >> "$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE $POSTGRES_DB" | postgres --single postgres > /dev/null
  echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
fi
exec "$@"
SCRIPT
chmod 755 "$root/entrypoint"
image "postgres:$version" 'USER postgres' 'ENV PGDATA=/data/cluster' "ENV PATH=/$programs:/usr/bin" \
  'ENTRYPOINT ["/entrypoint"]' 'CMD ["postgres"]'

root=$folder/rabbitmq/root
"$here/fetch.sh" "$folder/rabbitmq" rabbitmq-server dash coreutils sed grep hostname
mkdir -p "$root"/{data,tmp,usr/local/bin,etc/rabbitmq/conf.d,var/lib/rabbitmq,var/log/rabbitmq}
chmod 1777 "$root/tmp"
[ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
echo 'root:x:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
echo '[rabbitmq_management].' > "$root/etc/rabbitmq/enabled_plugins"
programs=$(cd "$root" && echo usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin)
printf '#!/bin/sh\nexec "$@"\n' > "$root/usr/local/bin/docker-entrypoint.sh"
chmod 755 "$root/usr/local/bin/docker-entrypoint.sh"
image rabbitmq:4-management "ENV PATH=/$programs:/usr/local/bin:/usr/lib/erlang/bin:/usr/bin:/usr/sbin" 'ENV HOME=/var/lib/rabbitmq' \
  'ENV LANG=C.UTF-8' 'ENTRYPOINT ["docker-entrypoint.sh"]' 'CMD ["rabbitmq-server"]'

# no registry, so no reaper image either; and the engine listens where we are
cat > "$folder/env" <<VARIABLES
export DOCKER_HOST=$DOCKER_HOST TESTCONTAINERS_RYUK_DISABLED=true TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1
VARIABLES
