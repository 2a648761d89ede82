#!/bin/sh
# Runs a RabbitMQ that shares nothing with any other: its own epmd, cookie, node and ports, all on 127.0.0.1.
#   rabbitmq-server.sh SBIN DATA PORT [SETTING…]            SBIN: the folder of rabbitmq-server; SETTING: a line of rabbitmq.conf
# DATA/ports holds three free ports. TERM ends it in order, QUIT at once. The settings node.name, node.cookie and node.epmd are ours:
# with them several become a cluster.
set -u
sbin=$1 data=$2 port=$3
shift 3
read -r epmd_port dist_port ctl_port < "$data/ports"
node=jobport
for setting in "$@"; do
  case $setting in
    'node.name = '*) node=${setting#*= } ;;
    'node.epmd = '*) epmd_port=${setting#*= } ;;
    'node.cookie = '*) (umask 077 && echo "${setting#*= }" > "$data/.erlang.cookie") ;;
  esac
done

. "$(dirname "$0")/rabbitmq-environment.sh"

plugins=''
{
  echo "listeners.tcp.1 = 127.0.0.1:$port"
  for setting in "$@"; do
    case $setting in
      node.*) continue ;;
      management.*) plugins=rabbitmq_management ;;
    esac
    echo "$setting"
  done
} > "$RABBITMQ_CONFIG_FILE"
echo "[$plugins]." > "$RABBITMQ_ENABLED_PLUGINS_FILE"

# as a child of ours: else Erlang would leave a daemon behind
epmd -port "$epmd_port" &
epmd=$!
"$sbin/rabbitmq-server" &
server=$!
trap 'kill -TERM $server' TERM
trap 'kill -KILL -$$' QUIT
wait $server
while kill -0 $server 2> /dev/null; do wait $server; done
kill $epmd
