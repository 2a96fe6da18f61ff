#!/bin/bash
# Run a command inside the root of setup.sh, in the copy of this folder that is made there: inside.sh FOLDER USER COMMAND…
set -eu
root=$1 user=$2
shift 2
here=$(cd "$(dirname "$0")/.." && pwd)
if [ -d "$root/home/renee" ]; then
  rm -rf "$root/home/renee/zoo"
  mkdir -p "$root/home/renee/zoo" "$root/home/renee/letters"
  cp -r "$here"/{make,keys,files} "$root/home/renee/zoo/"
  chown -R 1000:1000 "$root/home/renee"
fi
exec unshare --uts --mount --pid --fork --kill-child bash -c '
  root=$1 user=$2
  shift 2
  hostname werkplek.melder.example
  mount -t proc proc "$root/proc"
  mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
  mount -t tmpfs tmpfs "$root/dev/shm"
  home=$([ "$user" = root ] && echo /root || echo "/home/$user")
  exec chroot --userspec="$user:$user" "$root" /usr/bin/env -i HOME="$home" USER="$user" LOGNAME="$user" \
    PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LANG=en_US.UTF-8 LC_ALL=en_US.UTF-8 TZ=Europe/Amsterdam TERM=xterm \
    DEBIAN_FRONTEND=noninteractive bash -c "cd /home/renee/zoo 2>/dev/null; exec \"\$@\"" inside "$@"
' inside "$root" "$user" "$@"
