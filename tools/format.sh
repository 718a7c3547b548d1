#!/usr/bin/env bash
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Checks the format of the sources; with -f, mends it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1-} in
  "") mode=(--dry-run --Werror) ;;
  -f) mode=(-i) ;;
  *) echo "usage: tools/format.sh [-f]" >&2; exit 1 ;;
esac
format=$(command -v clang-format-22 || command -v clang-format) ||
  { echo "error: clang-format-22 not found" >&2; exit 1; }
list() { # patterns; a tarball has no index
  git ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null ||
    find lib include tools test python -type f
}
list '*.cpp' '*.h' | grep -E '\.(cpp|h)$' | xargs "$format" "${mode[@]}" --style=file

# What clang-format does not see: trailing blanks, tabs, no newline at the end.
bad=0
while read -r file; do
  if [ "${1-}" = -f ]; then
    sed -i -e 's/[ \t]*$//' "$file"
    [ -z "$(tail -c 1 "$file")" ] || echo >>"$file"
  elif grep -nP '[ \t]+$|\t' "$file" /dev/null || [ -n "$(tail -c 1 "$file")" ]; then
    echo "$file: blanks at the end of a line, a tab, or no newline at the end" >&2
    bad=1
  fi
done < <(list '*.td' '*.py' '*.mlir' '*.test' '*.txt' '*.cmake' '*.in' '*.sh' '*.md' '*.json' '*.toml' |
  grep -E '\.(td|py|mlir|test|txt|cmake|in|sh|md|json|toml)$')
exit $bad
