#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install the Debian packages that are still missing for the given purposes.
#
#   tools/setup.sh build        to build, run and test: what `make` calls
#   tools/setup.sh build lint   also for `make lint`, `make tidy` and `make test-long`
#
# With nothing missing it prints nothing and needs neither network nor root. Otherwise it says what
# it installs and does so as root, or through a sudo that asks no password; where neither goes it
# prints the one line to run and fails. On other systems than Debian it only names what is missing.
set -eu

# python3 runs the tools; libc6-dev may be absent beside a compiler; g++ shows that the headers are
# clean C++, too.
build_packages="meson ninja-build pkgconf python3 libc6-dev g++ \
libnanopb-dev nanopb protobuf-compiler libyaml-dev libsqlite3-dev"
# clang with its run-time library: the fuzzers, and a second opinion on warnings.
lint_packages="clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev"

packages=
for purpose in "${@:-build}"; do
    case $purpose in
    build) packages="$packages $build_packages" ;;
    lint) packages="$packages $lint_packages" ;;
    *)
        echo "setup.sh: unknown purpose $purpose (build, lint)" >&2
        exit 64
        ;;
    esac
done

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# What else tells that a package's content is there, on any system: a program, or a header.
is_there() {
    case $1 in
    meson) command -v meson ;;
    ninja-build) command -v ninja ;;
    pkgconf) command -v pkg-config ;;
    python3) command -v python3 ;;
    libc6-dev) echo '#include <stdio.h>' | "${CC:-cc}" -E - ;;
    g++) command -v g++ || command -v c++ ;;
    libnanopb-dev) echo '#include <pb.h>' | "${CC:-cc}" -E - ;;
    nanopb) command -v protoc-gen-nanopb ;;
    protobuf-compiler) command -v protoc ;;
    libyaml-dev) echo '#include <yaml.h>' | "${CC:-cc}" -E - ;;
    libsqlite3-dev) echo '#include <sqlite3.h>' | "${CC:-cc}" -E - ;;
    clang-14) command -v clang-14 || command -v clang ;;
    clang-format-14) command -v clang-format-14 || command -v clang-format ;;
    clang-tidy-14) command -v clang-tidy-14 || command -v clang-tidy ;;
    libclang-rt-14-dev) ls "$("${CLANG:-clang}" -print-resource-dir)"/lib/linux ;;
    esac >/dev/null 2>&1
}

missing=
for package in $packages; do
    is_installed "$package" || is_there "$package" || missing="$missing $package"
done
missing=${missing# }
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup.sh: not a Debian system; install what there corresponds to: $missing" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "setup.sh: packages are missing, and installing them takes root. As root, run:" >&2
    echo "    apt-get update && apt-get install -y --no-install-recommends $missing" >&2
    exit 1
fi

echo "installing Debian packages: $missing"
$as_root apt-get -o DPkg::Lock::Timeout=120 update -qq
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 \
    install -y -qq --no-install-recommends $missing
