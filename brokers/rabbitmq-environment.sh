# Where a RabbitMQ of ours lives, for its server and its tools. Wants sbin, data and node, and the ports.
export HOME="$data" ERL_EPMD_PORT="$epmd_port" ERL_EPMD_ADDRESS=127.0.0.1 ERL_CRASH_DUMP="$data/erl_crash.dump" LANG=C.UTF-8
export RABBITMQ_NODENAME="$node@localhost" RABBITMQ_DIST_PORT="$dist_port" RABBITMQ_CONF_ENV_FILE=/dev/null
export RABBITMQ_CTL_DIST_PORT_MIN="$ctl_port" RABBITMQ_CTL_DIST_PORT_MAX="$ctl_port" RABBITMQ_PID_FILE="$data/pid"
export RABBITMQ_MNESIA_BASE="$data/mnesia" RABBITMQ_LOG_BASE="$data/log" RABBITMQ_CONFIG_FILE="$data/rabbitmq.conf"
export RABBITMQ_ENABLED_PLUGINS_FILE="$data/enabled_plugins"
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'

# Debian's Erlang may lie anywhere, and its own start script knows one place only
erlang=$(cd "$sbin/../../../../erlang" 2> /dev/null && pwd)
if [ -n "$erlang" ]; then
  export ROOTDIR="$erlang" BINDIR="$(echo "$erlang"/erts-*/bin)" EMU=beam PROGNAME="$data/bin/erl" ESCRIPT_EMULATOR="$data/bin/erl"
  mkdir -p "$data/bin"
  printf '#!/bin/sh\nexec "$BINDIR/erlexec" "$@"\n' > "$data/bin/erl"
  chmod 755 "$data/bin/erl"
  export PATH="$data/bin:$BINDIR:$PATH"
fi
