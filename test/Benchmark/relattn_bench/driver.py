# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Turns of the workers, and what becomes of their figures."""

import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from relattn_bench import __doc__ as DESCRIPTION
from relattn_bench import ours, prebuilt
from relattn_bench.case import SETS, Case

#: Frameworks, a module and a process each.
PEERS = {"torch_": "PyTorch", "onnxruntime_": "ONNX Runtime", "openvino_": "OpenVINO", "jax_": "JAX", "iree_": "IREE"}
#: An implementation slower than this has two turns only.
HOPELESS_SECONDS = 3.0
#: Of a sample, at least: a time that the machine may stay quiet for.
SAMPLE_SECONDS = 0.005


class Worker:
    """The process of a framework; `missing` names the package that it lacks."""

    def __init__(self, name, threads, cores):
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMP_PROC_BIND="true", KMP_BLOCKTIME="1", TF_CPP_MIN_LOG_LEVEL="3")
        for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment.pop(variable, None)
        if threads == 1:
            environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        paths = [str(Path(__file__).parents[1]), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        self.log = tempfile.NamedTemporaryFile("w", prefix=f"relattn-bench-{name}", suffix=".log", delete=False)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "relattn_bench.worker", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
            env=environment, preexec_fn=lambda: os.sched_setaffinity(0, cores))
        self.missing = self._answer()["missing"]

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"relattn-bench: a worker died; its last words are in {self.log.name}")
        return json.loads(line)

    def ask(self, **message):
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # there is no answer either
        return self._answer()

    def stop(self):
        """Ends the process; the log of one that failed stays."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            failed = self.process.wait(20) != 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            failed = False
        self.log.close()
        if not failed:
            os.unlink(self.log.name)


def load():
    """The share of all cores that is busy, over a twentieth of a second."""
    def counters():
        with open("/proc/stat") as file:
            numbers = [int(x) for x in file.readline().split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]

    total, idle = counters()
    time.sleep(0.05)
    total_now, idle_now = counters()
    return 1 - (idle_now - idle) / max(1, total_now - total)


class Quiet:
    """Whether the cores are ours alone.

    A busy neighbour on a core's other hyperthread leaves half of what it issues in a
    cycle, and a virtual machine sees nothing else of it.
    """

    #: Additions of a cycle: x86's cores since 2013 and all others of four units have
    #: more, halves of those of six not. Of the best seen, halves have less.
    LEAST, SHARE = 3.5, 0.8

    #: Chains of additions that the rate is measured with: more is an error.
    MOST = 6.0

    def __init__(self, ask):
        self.ask, self.best = ask, 0.0

    def __call__(self):
        rate = self.ask()
        if rate > self.MOST:
            return False
        self.best = max(self.best, rate)
        return rate > max(self.LEAST, self.SHARE * self.best)


def siblings(core):
    """Which hyperthreads share the core."""
    with contextlib.suppress(OSError):
        return Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").read_text().strip()
    return str(core)


def quietest_cores(threads, target):
    """Of those that the process may use, where most is left to it; one hyperthread of a
    core before the second one of another."""
    allowed = os.sched_getaffinity(0)
    if threads == len(allowed):
        return sorted(allowed)
    rates = {}
    for core in sorted(allowed):
        os.sched_setaffinity(0, {core})
        rates[core] = statistics.median(ours.issue_rate(1, target) for _ in range(50))
    os.sched_setaffinity(0, allowed)
    order = sorted(allowed, key=rates.get, reverse=True)
    seen, second = set(), {}
    for core in order:
        second[core] = siblings(core) in seen
        seen.add(siblings(core))
    return sorted(sorted(order, key=second.get)[:threads])


def run_case(case, threads, workers, args, advance, is_quiet):
    """Rows of figures."""
    facts, owner, failed = {}, {}, {}
    for worker in workers:
        for name, fact in worker.ask(op="setup", case=str(case), threads=threads, target=args.target_cpu).items():
            if "error" in fact:
                failed[name] = fact["error"]
            else:
                facts[name], owner[name] = fact, worker
    for name, error in failed.items():
        print(f"{name} left out of {case}: {error}", file=sys.stderr)
    if not facts:
        return []
    ask = lambda name, calls=1: owner[name].ask(op="run", name=name, calls=calls)
    base = "plain read" if case.is_decode else "peak"
    if case.is_decode and base not in facts:
        raise SystemExit("relattn-bench: no plain read to compare with")
    calls = {name: max(1, math.ceil(SAMPLE_SECONDS / max(ask(name), 1e-7))) for name in facts}
    ask_base = lambda: workers[0].ask(op="peak", threads=threads, target=args.target_cpu) if base == "peak" else ask(base, calls[base])
    order = [name for name in facts if name != base]
    # (seconds, base before and after, whether the machine was quiet before and after)
    samples = {name: [] for name in order}
    rounds, noisy = dict.fromkeys(order, 0), dict.fromkeys(order, 0)
    for turn in range(args.rounds):
        deadline = time.monotonic() + args.patience
        order.append(order.pop(0))
        for name in order:
            if turn >= 2 and samples[name][-1][0] > HOPELESS_SECONDS:
                continue
            time.sleep(0.05)  # the threads of the one before may wait busily
            while True:
                quiet, before = load() <= 0.1 and is_quiet(), ask_base()
                seconds, after = ask(name, calls[name]), ask_base()
                quiet = is_quiet() and quiet
                samples[name].append((seconds, (before + after) / 2, quiet))
                if quiet or time.monotonic() > deadline:
                    break
            rounds[name] += 1
            noisy[name] += not quiet
        advance()
    is_noisy = {name: 2 * noisy[name] > rounds[name] for name in samples}
    choose = lambda name, noisy: [sample for sample in samples[name] if noisy or sample[2]]
    chosen = {name: choose(name, is_noisy[name]) for name in samples}
    get_median = lambda taken: statistics.median(seconds for seconds, _, _ in taken)
    median = {name: get_median(taken) for name, taken in chosen.items()}
    rows = []
    for name, taken in chosen.items():
        times, bases, _ = zip(*taken)
        row = {"impl": name, "case": str(case), "isa": ours.instruction_set(args.target_cpu), "threads": threads,
               "median_ms": round(1e3 * median[name], 4), "spread": round((max(times) - min(times)) / median[name], 3)}
        if base == "peak":
            row["fraction_of_peak"] = round(statistics.median(case.operations / s / 1e9 / b for s, b in zip(times, bases)), 3)
            row["peak_gflops"] = round(statistics.median(bases), 1)
        else:
            row["fraction_of_read"] = round(statistics.median(b / s for s, b in zip(times, bases)), 3)
        if "yardstick" in median:
            both = is_noisy[name] or is_noisy["yardstick"]
            row["ratio_to_yardstick"] = round(get_median(choose(name, both)) / get_median(choose("yardstick", both)), 3)
        rows.append(row | facts[name] | {"rounds": rounds[name], "samples": len(taken), "noisy_rounds": noisy[name]})
    return rows


def table_line(row):
    fraction = row.get("fraction_of_peak", row.get("fraction_of_read"))
    ratio = row.get("ratio_to_yardstick", "")
    noise = f"{row['noisy_rounds']} of {row['rounds']}" if row["noisy_rounds"] else ""
    return (f"| {row['case']} | {row['threads']} | {row['impl']} | {row['median_ms']:.3f} | {row['spread']:.0%} | {fraction:.2f} | {ratio} "
            f"| {row.get('memory_mb', '')} | {noise} |")


HEAD = ("| case | threads | implementation | median ms | spread | of peak (decode: of a plain read) | time / yardstick | extra MB | noisy rounds |\n"
        "|---|---|---|---|---|---|---|---|---|")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="relattn-bench", description=DESCRIPTION.split("\n")[0])
    parser.add_argument("cases", nargs="*", default=["table"],
                        help=f"sets ({', '.join(SETS)}) and single cases such as 'H8 M=N=512 D64 causal' (default: table)")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, min(2, cores)}), help="default: 1 2")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--target-cpu", default="native", help="of relattn, peak and yardstick; haswell: AVX2 where there is AVX-512")
    parser.add_argument("--peers", nargs="*", choices=[name.rstrip("_") for name in PEERS], default=None,
                        help="frameworks to compare with (default: those that are installed; none: --peers)")
    parser.add_argument("--patience", type=float, default=1.0, help="seconds for which samples of a round are taken again until the machine is quiet")
    parser.add_argument("--json", type=Path, help="file to which each figure is added, a JSON object a line")
    parser.add_argument("--plot", type=Path, metavar="DIRECTORY", help="plots over the length (needs matplotlib)")
    parser.add_argument("--build", type=Path, metavar="DIRECTORY", help="only compile, for --kernels on a machine without LLVM")
    parser.add_argument("--kernels", type=Path, metavar="DIRECTORY", help="take kernels and yardstick from there, compiled for the same arguments")
    args = parser.parse_args()
    names = [name for text in args.cases for name in SETS.get(text, [text])]
    try:
        args.cases = [Case.parse(name) for name in names]
    except ValueError as error:
        parser.error(str(error))
    if args.rounds < 1 or min(args.threads) < 1:
        parser.error("expected at least one round and one thread")
    if max(args.threads) > cores:
        parser.error(f"{max(args.threads)} threads on {cores} cores")
    return args


def progress(total):
    """A function that advances a progress bar, if there is a terminal."""
    if not sys.stderr.isatty():
        return lambda: None
    try:
        from tqdm import tqdm
    except ImportError:
        return lambda: None
    return tqdm(total=total, unit="round", leave=False).update


def main():
    args = parse_arguments()
    if args.build:
        ours.build(args.build, args.cases, args.threads, args.target_cpu)
        return
    if args.kernels:
        if not (args.kernels / f"{args.target_cpu}.macros").exists():
            sys.exit(f"relattn-bench: error: {args.kernels} has no kernels for {args.target_cpu}: --build them")
        os.environ[prebuilt.VARIABLE] = str(args.kernels.resolve())
    wanted = [name for name in PEERS if args.peers is None or name.rstrip("_") in args.peers]
    advance = progress(len(args.cases) * len(args.threads) * args.rounds)
    rows, told = [], set()
    print(HEAD)
    for threads in args.threads:
        cores = quietest_cores(threads, args.target_cpu)
        workers = [Worker(name, threads, cores) for name in ["ours", *wanted]]
        is_quiet = Quiet(lambda: workers[0].ask(op="issue_rate", threads=threads, target=args.target_cpu))
        try:
            for worker, name in zip(workers[1:], wanted):
                if worker.missing and name not in told:
                    told.add(name)
                    print(f"{PEERS[name]} is left out: {worker.missing} is not installed", file=sys.stderr)
            present = [worker for worker in workers if not worker.missing]
            for case in args.cases:
                for row in run_case(case, threads, present, args, advance, is_quiet):
                    rows.append(row)
                    print(table_line(row), flush=True)
                    if args.json:
                        with args.json.open("a") as file:
                            file.write(json.dumps(row) + "\n")
        finally:
            for worker in workers:
                worker.stop()
    if args.plot:
        from relattn_bench.plots import plot

        plot(rows, args.plot)
