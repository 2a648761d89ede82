#!/usr/bin/env bash
# Ends the engine that engine-up.sh FOLDER brought up, with the containers that tests left in it, and removes its data.
set -uo pipefail
folder=$(cd "${1:?the folder given to engine-up.sh}" && pwd)
[ -e "$folder/engine.pid" ] || exit 0
engine=$(cat "$folder/engine.pid")
export DOCKER_HOST=unix://$folder/engine.sock
left=$(docker ps -aq)
[ -z "$left" ] || docker rm --force --volumes $left > /dev/null

kill "$engine"
for _ in $(seq 300); do
  kill -0 "$engine" 2> /dev/null || break
  sleep 0.1
done
kill -9 "$engine" 2> /dev/null && echo 'The engine had to be killed' >&2
[ -e "$folder/made-bridge" ] && command -v ip > /dev/null && ip link delete docker0
grep -o " $folder/[^ ]*" /proc/self/mounts | sort -r | xargs -r -n 1 umount
rm -rf "$folder"
