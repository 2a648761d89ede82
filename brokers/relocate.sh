#!/usr/bin/env bash
# Makes programs that fetch.sh unpacked run where they lie, whatever the system's own C library:
# each becomes a script that starts it through the folder's own loader. The folder can be moved afterwards.
#   relocate.sh FOLDER PATH…            PATH: a program below FOLDER/root, or a folder of programs
set -euo pipefail
cd "${1:?the folder that fetch.sh filled}/root"
shift

loader=$(find usr/lib64 usr/lib -maxdepth 1 -name 'ld-linux*.so.*' | head -n 1)
[ -n "$loader" ] || { echo 'fetch.sh left no loader here' >&2; exit 1; }
triplet=$(find usr/lib -maxdepth 1 -name '*-linux-gnu*' -printf '%f\n' | head -n 1)

is_dynamic_program() {
  [ "$(head -c 4 "$1" | tail -c 3)" = ELF ] && LC_ALL=C grep -aqm1 '/ld-linux' "$1"
}

find -L "$@" -type f -perm /111 ! -name '*.so*' ! -name '*.elf' | while read -r program; do
  is_dynamic_program "$program" || continue
  up=$(dirname "$program" | sed 's#[^/][^/]*#..#g')
  mv "$program" "$program.elf"
  cat > "$program" <<SCRIPT
#!/bin/sh
root=\${0%/*}/$up
exec "\$root/$loader" --library-path "\$root/usr/lib/$triplet:\$root/usr/lib/$triplet/systemd" --argv0 "\$0" "\$0.elf" "\$@"
SCRIPT
  chmod 755 "$program"
done
