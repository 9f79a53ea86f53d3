#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run clang-tidy over what is delivered, as the given build directory compiles it. A few minutes.
set -eu
cd "$(dirname "$0")/.."
build=${1:?usage: tools/tidy.sh BUILD}

tidy=$(command -v clang-tidy-14 || command -v clang-tidy || true)
if [ -z "$tidy" ]; then
    echo "tidy.sh: clang-tidy is not installed (tools/setup.sh lint)" >&2
    exit 1
fi
# gcc's own warning options are unknown to clang: not the code's fault.
find src space cli examples bench -name '*.c' -print0 |
    xargs -0 -n 1 -P "$(nproc)" "$tidy" -p "$build" --quiet \
        --extra-arg=-Wno-unknown-warning-option
