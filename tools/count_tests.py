#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sums lit's JSON results: each skipped test with its reason, then the counts.

    count_tests.py RESULTS.json...

Exits with 1 if a test failed or none ran.
"""

import json
import sys


def main(paths):
    passed = failed = skipped = 0
    for path in paths:
        with open(path) as file:
            tests = json.load(file)["tests"]
        for test in tests:
            if test["code"] in ("PASS", "XFAIL", "FLAKYPASS"):
                passed += 1
            elif test["code"] in ("UNSUPPORTED", "SKIPPED", "EXCLUDED"):
                skipped += 1
                reason = " ".join(test["output"].split()) or test["code"].lower()
                print(f"skipped: {test['name']}: {reason}")
            else:
                failed += 1
                print(f"failed: {test['name']}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
