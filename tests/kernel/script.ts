// SPDX-License-Identifier: MIT
// Functions for the scripts that run in guests.

import { shellWords } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";

/** Goes before a script that uses sandblock. */
export function prelude(): string {
  return `
program=(${shellWords(sandblock())})
sandblock() { "\${program[@]}" "$@"; }
# refused PATTERN COMMAND...: the command fails, and says why in one line. That it is slow may be said, too.
refused() {
  local pattern=$1 text; shift
  if text=$("$@" 2>&1); then echo "not refused: $*"; return 1; fi
  text=$(grep -v '^sandblock: waiting for ' <<< "$text") || true
  [ "$(wc -l <<< "$text")" = 1 ] && grep -E "^sandblock: error: .*$pattern" <<< "$text" && return 0
  echo "refused in other words: $text"; return 1
}
# How much longer things take in this kernel.
case $(uname -r) in *-debug) slowness=6;; *) slowness=1;; esac
# eventually SECONDS COMMAND...: it succeeds within that time.
eventually() {
  local left=$(($1 * 10 * slowness)); shift
  until (set +x; "$@") 2>/dev/null; do
    left=$((left - 1)); [ $left -gt 0 ] || { "$@"; return 1; }
    sleep 0.1
  done
}
# Nothing is attached, recorded or running.
all_gone() {
  [ -z "$(ls /run/sandblock 2>/dev/null)" ] &&
    ! ls -d /sys/block/nbd*/pid /sys/block/ublkb* /sys/class/ublk-char/* /sys/block/bdus-* 2>/dev/null &&
    ! pgrep -f "[/ ]sandblock.* attach"
}
# wrote DEV N: at least N writes have been carried out.
wrote() { [ "$(awk '{ print $5 }' /sys/block/\${1#/dev/}/stat)" -ge "$2" ]; }
# verify DEV OPTION...: fio writes, and finds what it has written; says more only where it does not.
verify() {
  local dev=$1; shift
  fio --name=v --filename="$dev" --direct=1 --ioengine=libaio --verify=crc32c --verify_fatal=1 \
    --output-format=terse "$@" > "/tmp/fio.$BASHPID" 2>&1 || { cat "/tmp/fio.$BASHPID"; return 1; }
}
# device_pid DEV: the process that serves it.
device_pid() { sandblock status "$1" --json | sed -n 's/^ *"pid": \\([0-9]*\\),$/\\1/p'; }
`;
}
