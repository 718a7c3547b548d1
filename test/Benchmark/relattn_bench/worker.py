# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One framework's process: JSON lines in, JSON lines out.

    {"op": "setup", "case": "...", "threads": 2, "target": "..."}  ->  {name: {...}, ...}
    {"op": "run", "name": "...", "calls": 3}                       ->  seconds of a call
    {"op": "peak", "threads": 2, "target": "..."}                  ->  operations of a nanosecond
    {"op": "issue_rate", "threads": 2, "target": "..."}            ->  additions of a cycle
"""

import ctypes
import importlib
import json
import os
import sys
import time
import traceback

from relattn_bench.case import MAX_ERROR, Case


def resident(key):
    """VmRSS or VmHWM of this process, in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(key))


def forget_peak():
    """From here on VmHWM is the highest again; False where the kernel lacks it."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        return True
    except OSError:
        return False


def set_up(framework, case, threads, target):
    """The implementations by name, each with its first call's facts."""
    inputs = case.inputs()
    calls, facts = {}, {}
    for name, make in framework.implementations(case, inputs, threads, target):
        try:
            ctypes.CDLL(None).malloc_trim(0)  # what earlier cases freed
            before, measures = resident("VmRSS"), forget_peak()
            start = time.perf_counter()
            run, output = make()
            result = run()
            fact = {"first_call_s": round(time.perf_counter() - start, 3)}
            if measures:
                fact["memory_mb"] = round((resident("VmHWM") - before) / 1e6, 1)
            if output:
                fact["max_abs_error"] = case.error(output(result), inputs)
                if not fact["max_abs_error"] < MAX_ERROR[case.kind]:
                    raise ArithmeticError(f"wrong: error {fact['max_abs_error']:.3g}")
            calls[name], facts[name] = run, fact
        except Exception as error:
            traceback.print_exc()
            lines = str(error).strip().splitlines() or [""]
            facts[name] = {"error": f"{type(error).__name__}: {lines[0]}"[:200]}
    return calls, facts


def seconds(run, calls):
    run()
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def main():
    # What frameworks print must not reach the driver.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer):
        out.write(json.dumps(answer) + "\n")
        out.flush()

    try:
        framework = importlib.import_module(f"relattn_bench.{sys.argv[1]}")
    except ImportError as error:
        say({"missing": error.name or str(error)})
        return
    say({"missing": None})
    calls = {}
    for line in sys.stdin:
        message = json.loads(line)
        if message["op"] == "setup":
            calls, facts = set_up(framework, Case.parse(message["case"]), message["threads"], message["target"])
            say(facts)
        elif message["op"] in ("peak", "issue_rate"):
            say(getattr(framework, message["op"])(message["threads"], message["target"]))
        else:
            say(seconds(calls[message["name"]], message["calls"]))


if __name__ == "__main__":
    main()
