#!/bin/bash
# Postfix, as root inside the root of setup.sh: what it writes when a mail of ours cannot be delivered.
# Usage, in ~renee/zoo: make/bounces.sh FOLDER. Mail for the desk's domain goes through a pipe into files; nothing leaves the machine.
set -eu
out=$1
mkdir -p "$out" /var/bounces && chmod 777 /var/bounces
cat > /usr/local/bin/keep-mail <<'KEEP'
#!/bin/sh
cat > "/var/bounces/$$.eml"
KEEP
chmod 755 /usr/local/bin/keep-mail
postconf -e myhostname=mail.melder.example mydomain=melder.example mydestination=melder.example,localhost \
  inet_interfaces=loopback-only inet_protocols=ipv4 compatibility_level=3.6 maillog_file=/var/log/postfix.log \
  transport_maps=hash:/etc/postfix/transport 'local_recipient_maps=proxy:unix:passwd.byname $alias_maps' \
  default_transport='error:5.4.4 Host or domain name not found' smtputf8_enable=no delay_warning_time=0
postconf -M 'keep/unix=keep unix - n n - 1 pipe user=renee argv=/usr/local/bin/keep-mail'
postconf -MX smtp/inet 2>/dev/null || true
printf 'gemeente.example keep:\nvol.example error:5.2.2 mailbox full\n' > /etc/postfix/transport
postmap /etc/postfix/transport
newaliases
postfix start
message() { printf 'From: Meldpunt <cvd@gemeente.example>\nTo: %s\nSubject: Ontvangstbevestiging CVD-2026-0042\nMessage-ID: <%s@gemeente.example>\nAuto-Submitted: auto-replied\n\nWij hebben uw melding ontvangen.\n' "$1" "$2"; }
take() {
  for _ in $(seq 40); do
    set -- "$1" /var/bounces/*.eml
    if [ -e "$2" ]; then sleep 0.3; python3 -m make.delivery "" < "$2" > "$out/$1.eml"; rm "$2"; return; fi
    sleep 0.2
  done
  echo "no $1 came" >&2
}
message niemand@melder.example a1 | sendmail -f cvd@gemeente.example niemand@melder.example; take postfix-unknown-user
message renee@elders.example a2 | sendmail -f cvd@gemeente.example renee@elders.example; take postfix-unknown-host
message renee@vol.example a3 | sendmail -f cvd@gemeente.example renee@vol.example; take postfix-mailbox-full
message renee@melder.example a4 | sendmail -N success -f cvd@gemeente.example renee@melder.example; take postfix-delivered
postfix stop
chmod a+r "$out"/*
