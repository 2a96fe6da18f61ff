#!/bin/sh
# Installs the Debian packages that Meldbalie needs, as far as they are missing:
#
#     flows/operator/system-packages.sh run          what an installation and the demo need
#     flows/operator/system-packages.sh run test     what the tests need as well
#
# Dovecot, PostgreSQL and nginx are run by Meldbalie itself, in directories of its own. Their system
# services are therefore not started: on a mail or database server of yours nothing changes.
set -eu

say() { printf '%s\n' "$*"; }

# Whether it is there already, the package, and what it is for.
needed() {
    for purpose in "$@"; do
        case $purpose in
        run)
            need "has_venv" "$(venv_package)" "makes the Python environment"
            need "command -v gpg" gnupg "opens and seals mail"
            need "command -v dovecot || test -x /usr/sbin/dovecot" dovecot-imapd "is the demo's mail server"
            ;;
        test)
            need "ls /usr/lib/postgresql/*/bin/initdb" postgresql "is the second database of the tests"
            need "test -x /usr/lib/dovecot/submission" dovecot-submissiond "takes mail in the tests from whom shows an access token"
            need "command -v sieve-test" dovecot-sieve "answers mail in the tests for who is away"
            need "command -v chromium" chromium "looks at the pages in the tests"
            need "command -v chromedriver" chromium-driver "drives that browser"
            need "command -v nginx || test -x /usr/sbin/nginx" nginx-light "is the reverse proxy of the tests"
            ;;
        *)
            say "$purpose: say run, or run test"
            exit 2
            ;;
        esac
    done
}

# Debian's default Python, or the one that was asked for by its version.
venv_package() {
    case ${PYTHON:-} in
    python3.*) echo "$PYTHON-venv" ;;
    *) echo python3-venv ;;
    esac
}

has_venv() { "${PYTHON:-python3}" -c 'import ensurepip, venv'; }

missing=
need() {
    if ! eval "$1" >/dev/null 2>&1; then
        say "missing: $2, which $3"
        missing="$missing $2"
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

require_a_way() {
    if ! command -v apt-get >/dev/null; then
        say "This is no Debian or Ubuntu: install what is missing with your own package tool, then go on."
        exit 1
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        say "You are not root, and there is no sudo. Have root run: apt-get install --no-install-recommends$missing"
        exit 1
    fi
}

keep_service_off() {
    case " $missing " in *" $1 "*) ;; *) return 0 ;; esac
    if [ -d /run/systemd/system ]; then
        say "keeping the system service $2 off (it is masked; systemctl unmask $2 gives it back)"
        as_root systemctl mask "$2" >/dev/null 2>&1
    fi
}

install() {
    # RUNLEVEL=1 keeps packages from starting services where there is no systemd.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o DPkg::Lock::Timeout=120 \
        install --yes --no-install-recommends $missing </dev/null >"$log" 2>&1
}

update() {
    say "fetching the package lists"
    as_root apt-get -qq -o DPkg::Lock::Timeout=120 update </dev/null >"$log" 2>&1
}

fail() {
    cat "$log"
    say "$1: correct what stands above, or install by hand:$missing"
    exit 1
}

needed "${@:-run}"
[ -n "$missing" ] || exit 0
require_a_way
log=$(mktemp)
trap 'rm -f "$log"' EXIT
ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || update || fail "The package lists cannot be fetched"
keep_service_off dovecot-imapd dovecot.service
keep_service_off postgresql postgresql.service
keep_service_off nginx-light nginx.service
say "installing$missing"
install || { update && install; } || fail "The packages cannot be installed"
missing=
needed "${@:-run}"
if [ -n "$missing" ]; then
    say "These packages were installed, and what they bring is still not found:$missing"
    exit 1
fi
