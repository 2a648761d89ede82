#!/bin/sh
# Has rabbitmqctl talk to the node that rabbitmq-server.sh runs in DATA, if it has the usual name: rabbitmq-control.sh SBIN DATA COMMAND…
set -u
sbin=$1 data=$2 node=jobport
shift 2
read -r epmd_port dist_port ctl_port < "$data/ports"
. "$(dirname "$0")/rabbitmq-environment.sh"
exec "$sbin/rabbitmqctl" "$@"
