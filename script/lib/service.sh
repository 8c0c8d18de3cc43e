# shellcheck shell=bash
# Sourced by the scripts of what runs beside the server. A service is a folder with the files `pid` and `log`.
#
# Each script says in `words FOLDER` what stands in the command line of a folder's process.

# free_port [PORT...]: one that nobody listens on, and none of these. Below the range from which the kernel takes ports
# for outgoing connections.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    [[ " $* " != *" $port "* ]] || continue
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { printf '%s' "$port"; return; }
  done
}

# pid_of FOLDER: its process, if it lives and is still ours: numbers are used again.
pid_of() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 1
  tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$(words "$1")" && printf '%s' "$pid"
}

# launch FOLDER COMMAND...: what it says goes into the folder's log.
launch() {
  local folder=$1
  shift
  # A session of its own: Ctrl-C in the terminal is not meant for it. Nor are the locks.
  (
    exec 8>&- 9>&- </dev/null >>"$folder/log" 2>&1
    exec setsid "$@"
  ) &
  # Or the shell comments on its end.
  disown "$!"
  printf '%s' "$!" >"$folder/pid"
}

# wait_until FOLDER SECONDS COMMAND...: until the command succeeds; fails when the process ends or the time does.
wait_until() {
  local pid deadline=$((SECONDS + $2))
  # Not `pid_of`: between fork and exec the command line is still this script's.
  pid=$(cat "$1/pid")
  shift 2
  until "$@"; do
    kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.05
  done
}

# stop_service FOLDER SIGNAL [SECONDS]: returns when the process is gone, which SIGKILL sees to after some seconds.
stop_service() {
  local pid deadline=$((SECONDS + ${3:-20}))
  pid=$(pid_of "$1") || return 0
  kill "-$2" "$pid" 2>/dev/null || return 0
  # A process that was stopped takes no other signal.
  kill -CONT "$pid" 2>/dev/null || true
  while pid_of "$1" >/dev/null; do
    [ "$SECONDS" -lt "$deadline" ] || kill -KILL "$pid" 2>/dev/null || true
    sleep 0.05
  done
  rm -f "$1/pid"
}

# last_words FOLDER: the end of its log.
last_words() { tail -n 15 "$1/log" 2>/dev/null || true; }

# answers_ok PORT PATH: whether HTTP on loopback answers with 200.
answers_ok() {
  # shellcheck disable=SC2016
  timeout 1 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" &&
    printf "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n" "$1" "$0" >&3 &&
    read -r _ status _ <&3 && [ "$status" = 200 ]' "$1" "$2" 2>/dev/null
}

# hold CLEANUP START...: starts something, waits until standard input ends or a signal comes, and cleans up whatever
# happens, once: a second signal does not end that. A terminal or /dev/null never ends it.
hold() {
  local cleanup=$1 waiter=
  shift
  # shellcheck disable=SC2064
  trap "trap '' HUP INT TERM; $cleanup" EXIT
  trap 'exit 1' HUP INT TERM
  "$@"
  # In the background, since a signal waits for what is in the foreground.
  if [ -p /dev/stdin ] || [ -S /dev/stdin ]; then
    exec 5<&0
    cat <&5 >/dev/null &
  else
    sleep infinity &
  fi
  waiter=$!
  # shellcheck disable=SC2064
  trap "trap '' HUP INT TERM; kill $waiter 2>/dev/null || true; $cleanup" EXIT
  wait "$waiter"
}
