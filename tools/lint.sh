#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run every check of the tree, also after one has failed. What needs a build is in `make tidy`.
# With --format: lay the C files out instead.
set -u
cd "$(dirname "$0")/.." || exit 1

format=$(command -v clang-format-14 || command -v clang-format)
c_files=$(find include src space cli examples bench tests tools -name '*.[ch]')
if [ "${1:-}" = --format ]; then
    # shellcheck disable=SC2086 # paths without spaces
    exec "${format:?clang-format is not installed}" -i $c_files
fi

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

if [ -n "$format" ]; then
    # shellcheck disable=SC2086 # paths without spaces
    check "$format" "$format" --dry-run -Werror $c_files
else
    skipped=$((skipped + 1))
    echo "skipped clang-format: it is not installed (tools/setup.sh lint)"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
