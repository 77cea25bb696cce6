#!/usr/bin/env bash
# What the tests need beside Python: Java 17 and Maven for a real Kafka, flatc to judge the messages, a real Prometheus, a
# real browser.
# Installs what is missing where it may, else says in one line what to install.
set -euo pipefail

java_is_new_enough() {
  local version
  version=$(java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p') && [ "${version:-0}" -ge 17 ]
}

missing=()
java_is_new_enough || missing+=(default-jre-headless)
command -v mvn >/dev/null || missing+=(maven)
command -v flatc >/dev/null || missing+=(flatbuffers-compiler)
command -v chromium >/dev/null || missing+=(chromium fonts-dejavu-core)
command -v prometheus >/dev/null && command -v promtool >/dev/null || missing+=(prometheus)
# The tests of clocks that are set and networks that are cut say why they are skipped without these.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  command -v ip >/dev/null || missing+=(iproute2)
  command -v faketime >/dev/null || missing+=(faketime)
fi
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "the tests need Java 17 or newer, Maven, flatc, Prometheus and Chromium; install (Debian's names): ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
java_is_new_enough || { echo "the tests need Java 17 or newer; this system's default-jre-headless is older" >&2; exit 1; }
