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

export HOME="$data" ERL_EPMD_PORT="$epmd_port" ERL_EPMD_ADDRESS=127.0.0.1 ERL_CRASH_DUMP="$data/erl_crash.dump" LANG=C.UTF-8
export RABBITMQ_NODENAME="$node@localhost" RABBITMQ_DIST_PORT="$dist_port" RABBITMQ_CONF_ENV_FILE=/dev/null
export RABBITMQ_CTL_DIST_PORT_MIN="$ctl_port" RABBITMQ_CTL_DIST_PORT_MAX="$ctl_port" RABBITMQ_PID_FILE="$data/pid"
export RABBITMQ_MNESIA_BASE="$data/mnesia" RABBITMQ_LOG_BASE="$data/log" RABBITMQ_CONFIG_FILE="$data/rabbitmq.conf"
export RABBITMQ_ENABLED_PLUGINS_FILE="$data/enabled_plugins"
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'

# Debian's Erlang may lie anywhere, and its own start script knows one place only
erlang=$(cd "$sbin/../../../../erlang" 2> /dev/null && pwd)
if [ -n "$erlang" ]; then
  export ROOTDIR="$erlang" BINDIR="$(echo "$erlang"/erts-*/bin)" EMU=beam PROGNAME="$data/bin/erl"
  mkdir -p "$data/bin"
  printf '#!/bin/sh\nexec "$BINDIR/erlexec" "$@"\n' > "$data/bin/erl"
  chmod 755 "$data/bin/erl"
  export PATH="$data/bin:$BINDIR:$PATH"
fi

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
