# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random attention as frontends write it, executed before and after raising.

    python -m relattn.testing.random_frontend --programs 20000 --seed 1
    python -m relattn.testing.random_frontend --look-alikes --programs 5000

Each program composes the habits of frontends (layouts, scale, buckets, gathers,
masks, softmax spellings). Its results before and after relattn-raise, lowered by
the reference path, are compared with NumPy in float64. Prints how often each
habit was drawn and raised, and every miss by cause. Exits with 1 if a number is
wrong, or fewer than 95 % are raised. With --look-alikes each program has one
change that makes it no attention, or one with another bias: no number may
change.
"""

import argparse
import re
import sys
import tempfile
from collections import Counter

import numpy as np

from relattn.jit import Module
from relattn.testing.frontend_program import LOOK_ALIKES, FrontendProgram
from relattn.testing.random_linalg import opt


#: linalg.softmax has no lowering but its own decomposition.
DECOMPOSE = """
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.consumed}) {
    %softmax = transform.structured.match ops{["linalg.softmax"]} in %root : (!transform.any_op) -> !transform.any_op
    %parts = transform.structured.decompose_interface %softmax : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}
"""


def attributes(text):
    """Per function: the number of attention ops, the T5 attributes, and whether
    there is another bucketing."""
    found = {}
    for part in re.split(r"(?=func\.func @)", text)[1:]:
        name = re.match(r"func\.func @(\w+)", part).group(1)
        t5 = set()
        for body in re.findall(r"#relattn\.t5<([^>]*)>", part):
            numbers = [int(x) for x in re.findall(r"\d+", body)]
            t5.add((numbers[0], numbers[1], "bidirectional" in body))
        steps = bool(re.search(r"#relattn\.(steps|clip)<", part))
        found[name] = (len(re.findall(r"relattn\.attention ", part)), t5, steps)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--look-alikes", action="store_true")
    args = parser.parse_args()
    drawn, raised, causes = Counter(), Counter(), Counter()
    failed, worst, done, total, tables, exact, wanted = 0, 0.0, 0, 0, 0, 0, 0
    while done < args.programs:
        rng = np.random.default_rng([args.seed, done, int(args.look_alikes)])
        count = min(100, args.programs - done)
        programs = [FrontendProgram(rng, f"p{i}", LOOK_ALIKES[rng.integers(len(LOOK_ALIKES))] if args.look_alikes else None)
                    for i in range(count)]
        text = "".join(p.function() for p in programs)
        process = opt(text, ["--relattn-raise", "--remarks-filter=relattn"])
        found = attributes(process.stdout)
        reasons = dict(re.findall(r"\[Missed\] RaiseAttention .*Function=(p\d+) \| Reason=\"?([^\"\n]*)", process.stderr))
        with tempfile.NamedTemporaryFile("w", suffix=".mlir") as script:
            script.write(DECOMPOSE)
            script.flush()
            pipeline = (f"--transform-preload-library=transform-library-paths={script.name}",
                        "--transform-interpreter", "--relattn-to-cpu")
            plain = Module(text, pipeline, optimize="-O0")
            after = Module(process.stdout, pipeline, optimize="-O0")
        for p in programs:
            forms = p.forms + ([f"look-alike {p.look_alike}"] if p.look_alike else [])
            drawn.update(forms)
            attentions, t5, steps = found[p.name]
            if attentions:
                raised.update(forms)
                total += 1
            elif not p.look_alike:
                causes[reasons.get(p.name, "no remark")] += 1
                print(f"seed {args.seed} chunk {done} {p.name} not raised: {reasons.get(p.name, 'no remark')}: {', '.join(p.forms)}")
            if attentions and p.t5 and not p.look_alike:
                wanted += 1
                # Constant ids leave the distance open, and few of them T5 itself.
                is_t5 = any(x[0] == p.t5[0] and x[2] == p.t5[2] for x in t5)
                tables += is_t5 or steps
                exact += is_t5
                if not is_t5 and not steps:
                    causes["table not recovered"] += 1
                    print(f"seed {args.seed} chunk {done} {p.name} table not recovered: {', '.join(p.forms)}")
            errors = p.errors(plain, after)
            worst = max(worst, *errors)
            if max(errors) > 1:
                failed += 1
                print(f"seed {args.seed} chunk {done} {p.name}: before {errors[0]:.3g}, after {errors[1]:.3g} "
                      f"of the tolerance, {attentions} attention ops: {', '.join(forms)}")
        done += count
    for form in sorted(drawn):
        print(f"  {raised[form]:6d} of {drawn[form]:6d} raised: {form}")
    for cause, times in causes.most_common():
        print(f"  {times:6d} missed: {cause}")
    print(f"{total} of {done} raised, {tables} of {wanted} tables recovered, {exact} as T5")
    print(f"worst error / tolerance: {worst:.3f}")
    print(f"{done - failed} passed, {failed} failed")
    few = not args.look_alikes and (total < 0.95 * done or tables < 0.95 * wanted)
    return bool(failed or few)


if __name__ == "__main__":
    sys.exit(main())
