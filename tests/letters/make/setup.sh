#!/bin/bash
# Make the Debian that the clients of the zoo run in: setup.sh FOLDER, as root; needs debootstrap and npm.
set -eu
root=$1
here=$(cd "$(dirname "$0")" && pwd)
debootstrap --variant=minbase --include=ca-certificates,gnupg,python3,locales bookworm "$root"
cp -r /etc/apt/sources.list* "$root/etc/apt/"   # this machine's mirrors; it is a bookworm as well
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"   # no service starts by itself
chmod +x "$root/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$root/etc/"
echo "127.0.0.1 localhost werkplek.melder.example werkplek" > "$root/etc/hosts"
echo werkplek.melder.example > "$root/etc/hostname"
echo melder.example > "$root/etc/mailname"
echo "en_US.UTF-8 UTF-8" > "$root/etc/locale.gen"
"$here/inside.sh" "$root" root locale-gen
"$here/inside.sh" "$root" root useradd -m -s /bin/bash renee
"$here/inside.sh" "$root" root apt-get update
"$here/inside.sh" "$root" root apt-get install -y --no-install-recommends \
  mutt neomutt emacs-nox postfix dovecot-sieve dovecot-lmtpd nodejs schleuder python3-aiosmtpd python3-pexpect python3-pgpy \
  xvfb xauth xdotool dbus matchbox-window-manager claws-mail claws-mail-pgpmime claws-mail-pgpinline thunderbird sq sqop rnp
"$here/inside.sh" "$root" root dbus-uuidgen --ensure
chmod -R a+rX "$root/etc/schleuder"
npm install --prefix "$root/usr/local/lib" openpgp@6.3.2 nodemailer@10.6.0 nodemailer-openpgp@2.2.1
mkdir -p "$root/home/renee/letters"
