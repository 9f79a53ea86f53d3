#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run every check of the tree, also after one has failed. What needs compiling is in `make tidy`.
set -u
cd "$(dirname "$0")/.." || exit 1

passed=0 failed=0 skipped=0
check() {
    name=$1
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n%s\n' "$name" "$output"
    fi
}

for script in tools/check_*.py; do
    check "$script" "$script"
done

format=$(command -v clang-format-14 || command -v clang-format)
if [ -n "$format" ]; then
    # shellcheck disable=SC2046 # paths without spaces
    check "$format" "$format" --dry-run -Werror \
        $(find include src space cli examples bench tests tools -name '*.[ch]')
else
    skipped=$((skipped + 1))
    echo "skipped clang-format: it is not installed (tools/setup.sh lint)"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
