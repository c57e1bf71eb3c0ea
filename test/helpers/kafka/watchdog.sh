#!/bin/sh
# Runs a command that must not outlive whoever started this script: when standard input ends, which it also does when the parent
# is killed, the command is killed. SIGTERM is passed on. Prints the command's pid first. Exits when the command has.
exec 3<&0
"$@" </dev/null 3<&- &
pid=$!
echo "pid $pid"
trap 'kill -TERM "$pid" 2>/dev/null' TERM
{ cat <&3; kill -KILL "$pid"; } >/dev/null 2>&1 &
reader=$!
exec 3<&-
while kill -0 "$pid" 2>/dev/null; do wait "$pid"; done
kill "$reader" 2>/dev/null
