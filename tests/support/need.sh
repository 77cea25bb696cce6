#!/usr/bin/env bash
# What the tests need beside Python: Java 17 and Maven for a real Kafka, flatc to judge the messages, a real Prometheus, a
# real MariaDB, a real browser, systemd's judgement of its units. `need.sh machine`: also what boots a machine to install
# on, and what builds and runs an image.
# Installs what is missing where it may, else says in one line what to install.
set -euo pipefail

java_is_new_enough() {
  local version
  version=$(java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p') && [ "${version:-0}" -ge 17 ]
}

has_prometheus() {
  { command -v prometheus && command -v promtool; } >/dev/null || [ -x "$prometheus/promtool" ]
}

# Only its two programs: the package would start a service, and again with every start of the machine.
unpack_prometheus() {
  mkdir -p "$cache"
  scratch=$(mktemp -d -p "$cache")
  trap 'rm -rf "$scratch"' EXIT
  (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download prometheus && dpkg -x prometheus_*.deb unpacked)
  # Another run may have been faster; what it has is the same.
  mv -T "$scratch/unpacked/usr/bin" "$prometheus" 2>/dev/null || has_prometheus
}

# tests/support/prometheus.py looks there.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/epics-kafka-forwarder
prometheus=$cache/prometheus
missing=()
java_is_new_enough || missing+=(default-jre-headless)
command -v mvn >/dev/null || missing+=(maven)
command -v flatc >/dev/null || missing+=(flatbuffers-compiler)
# Only the programs: the package mariadb-server would start a service, and again with every start of the machine.
command -v mariadb-install-db >/dev/null || missing+=(mariadb-server-core mariadb-client-core)
command -v chromium >/dev/null || missing+=(chromium fonts-dejavu-core)
command -v systemd-analyze >/dev/null || missing+=(systemd)
if [ "${1-}" = machine ]; then
  command -v systemd-nspawn >/dev/null || missing+=(systemd-container)
  command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
  command -v podman >/dev/null || missing+=(podman)
  # Beside Podman's crun, for cgroups of both kinds.
  command -v runc >/dev/null || missing+=(runc)
fi
# The tests of clocks that are set and networks that are cut say why they are skipped without these.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  command -v ip >/dev/null || missing+=(iproute2)
  command -v faketime >/dev/null || missing+=(faketime)
fi
[ ${#missing[@]} -gt 0 ] || ! has_prometheus || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  has_prometheus || missing+=(prometheus)
  echo "the tests need Java 17 or newer, Maven, flatc, MariaDB, Prometheus, Chromium and systemd; install (Debian's names): ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
[ ${#missing[@]} -eq 0 ] || apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
has_prometheus || unpack_prometheus
java_is_new_enough || { echo "the tests need Java 17 or newer; this system's default-jre-headless is older" >&2; exit 1; }
