// SPDX-License-Identifier: MIT
// Functions for the scripts that run in guests.

import { shellWords } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";

/** Goes before a script that uses sandblock. */
export function prelude(): string {
  return `
program=(${shellWords(sandblock())})
sandblock() { "\${program[@]}" "$@"; }
# refused PATTERN COMMAND...: the command fails, and says why in one line.
refused() {
  local pattern=$1 text; shift
  if text=$("$@" 2>&1); then echo "not refused: $*"; return 1; fi
  text=$(grep -v '^Try "' <<< "$text") || true
  [ "$(wc -l <<< "$text")" = 1 ] && grep -E "^sandblock: error: .*$pattern" <<< "$text" && return 0
  echo "refused in other words: $text"; return 1
}
# eventually SECONDS COMMAND...: it succeeds within that time.
eventually() {
  local left=$(($1 * 10)); shift
  until (set +x; "$@") 2>/dev/null; do
    left=$((left - 1)); [ $left -gt 0 ] || { "$@"; return 1; }
    sleep 0.1
  done
}
# Nothing is attached, recorded or running.
all_gone() {
  [ -z "$(ls /run/sandblock 2>/dev/null)" ] && ! ls /sys/block/nbd*/pid /sys/block/ublkb* 2>/dev/null &&
    ! pgrep -f "[/ ]sandblock.* attach"
}
# device_pid DEV: the process that serves it.
device_pid() { sandblock status "$1" --json | sed -n 's/^ *"pid": \\([0-9]*\\),$/\\1/p'; }
`;
}
