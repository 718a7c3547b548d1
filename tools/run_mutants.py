#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Switches off each guard of a rewrite in turn and shows that a test fails.

    run_mutants.py [NAME-PART...]

Works in a copy of the working tree (build/mutants), which it configures once;
each mutant takes one compilation and the tests of the rewrites, or of raising.
Exits with 1 if a mutant survives all of them. Not part of the suite: a run takes
an hour.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPY = ROOT / "build/mutants"
FOLD, TRACE = "lib/Transforms/FoldBiasIntoScores.cpp", "lib/Transforms/ScoresTrace.cpp"
SCALING, SCALE = "lib/Transforms/RemoveScaling.cpp", "lib/Transforms/Scale.cpp"
UNIFORM = "lib/Transforms/UniformScalar.cpp"
SOFTMAX, MATCH = "lib/Raising/SoftmaxMatch.cpp", "lib/Raising/AttentionMatch.cpp"
SCORES, TERMS = "lib/Raising/AttentionScores.cpp", "lib/Raising/AttentionTerms.cpp"
USERS, BIAS, EXPR = "lib/Raising/AttentionUsers.cpp", "lib/Raising/OffsetBias.cpp", "lib/Raising/Expr.cpp"
IDS = "lib/Raising/ConstantIds.cpp"

#: (guard, file, text, what stands there instead)
MUTANTS = [
    ("fold: product with one use", TRACE, "return \"the product has another user\";", ";"),
    ("fold: block of the contraction", TRACE, "return \"the contraction stands in another block\";", ";"),
    ("fold: real numbers", TRACE, "(element.isSignlessInteger() && !element.isInteger(1))", "true"),
    ("fold: starts at zero", FOLD, "if (!startsAtZero(contraction) &&\n      !isFresh", "if (false && !isFresh"),
    ("fold: value of the zeros", TRACE, "return isZero(fill.value());", "return true;"),
    ("fold: accumulator of f32", FOLD, "element.getIntOrFloatBitWidth() < 32)", "false)"),
    ("fold: scores not broadcast", FOLD, "if (!map.isPermutation()) {", "if (false) {"),
    ("fold: transpose before reshape", FOLD, 'return "a transpose stands before a reshape";', "continue;"),
    ("fold: reshape of unknown size", FOLD, "if (collapse && i > 0 &&", "if (false &&"),
    ("fold: side effects", TRACE, "if (!isMemoryEffectFree(op) || op->getNumRegions() != 0)", "if (false)"),
    ("fold: reduction", FOLD, "if (op.getNumReductionLoops() == 0)\n    return false;", "return false;"),
    ("fold: named op that does more", FOLD, "if (!isa<linalg::GenericOp>(op.getOperation()) && !isAddAlone(op, plan)) {", "if (false) {"),
    ("fold: known sizes", FOLD, "if (!hasKnownSizes(op, plan)) {", "if (false) {"),
    ("fold: nobody else reads the bias", FOLD, "isFreshWithOneUse(operand.get()))\n      plan.direct", "true)\n      plan.direct"),
    ("fold: weaker flags", FOLD, "add.setFastmath(add.getFastmath() & (assumed | ~valueFlags));", "(void)valueFlags;"),
    ("fold: one use in the body", TRACE, "while (current.hasOneUse()) {\n    OpOperand", "while (!current.use_empty()) {\n    OpOperand"),
    ("scale: may move", SCALING, "if (!plan.scale.mayMove()) {", "if (false) {"),
    ("scale: moderate power of two", SCALE, "std::abs(exponent) <= limit", "true"),
    ("scale: usable number", SCALE, "return number.isFiniteNonZero() && !number.isDenormal();", "return true;"),
    ("scale: operands not narrower", SCALING, "if (getElementTypeOrSelf(operand.get().getType()) != element)\n      continue;", ""),
    ("scale: uniform tensor", UNIFORM, "return op.isDpsInput(operand) && isUniformTensor(operand->get());", "return op.isDpsInput(operand);"),
    ("scale: index is not uniform", UNIFORM, "depth < kMaxDepth && definition->getNumOperands() != 0 &&", "depth < kMaxDepth &&"),
    ("scale: not over the scores", SCALE, "(isDivisor && scaled != 0) || ", ""),
    ("scale: initial accumulator scaled", SCALING, "if (!startsAtZero(contraction)) {", "if (false) {"),
    ("scale: no pass for the accumulator", SCALING, "if (plan.init->kind == ScaleSite::Kind::NewOp &&", "if (false &&"),
    ("scale: named op that does more", SCALING, "if (!isAlone && !isa<linalg::GenericOp>(op)) {", "if (false) {"),
    ("scale: alone reads as it writes", SCALING, "linalgOp.getMatchingIndexingMap(plan.scores) ==\n             linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0)) &&", ""),
    ("scale: run-time scale in one block", SCALING, "bool staysInBlock = plan.scale.constant.has_value();", "bool staysInBlock = true;"),
    ("scale: run-time scale moves the contraction", SCALING, "rewriter.moveOpBefore(plan.trace.getContraction(), op);", ""),
    ("scale: merged only if exact", SCALE, "return isPowerOfTwo() || other.isPowerOfTwo() ||\n         (mayReassociate && other.mayReassociate);", "return true;"),
    ("scale: site that others read", SCALE, "if (!op || !tensor.hasOneUse() || !scale.constant)", "if (!op || !scale.constant)"),
    ("scale: body that reduces", SCALE, "op->getNumResults() == 1 &&\n                         linalgOp.getNumReductionLoops() == 0;", "op->getNumResults() == 1;"),
    ("scale: weights from zero", SCALE, "|| !startsAtZero(contraction))\n    return nullptr;", ")\n    return nullptr;"),
    ("scale: scale op reads as it writes", SCALE, "        op.getMatchingIndexingMap(&source) != outMap)\n", "        false)\n"),
    ("scale: operand with one use", SCALING, "if (!operand.get().hasOneUse()) {", "if (false) {"),
    ("scale: operand smaller than the scores", SCALING, "if (!isSmaller) {", "if (false) {"),
    ("scale: operands of one type merge", SCALING, "if (!haveOneType) {", "if (false) {"),
    ("scale: bias scaled too", SCALING, "if (!done && !plan.scale.isOne()) {", "if (false) {"),
    ("raise: sum starts at zero", SOFTMAX, 'if (!start || *start != 0.0) {', "if (false) {"),
    ("raise: sum of the exponential", SOFTMAX, 'refusal.set("the sum is of another tensor", reduction->op);\n    return false;', ";"),
    ("raise: maximum of the scores", SOFTMAX, 'refusal.set("the maximum is of another tensor", reduction->op);\n    return false;', ";"),
    ("raise: maximum starts at -inf", SOFTMAX, "if (!isLowest(reduction->init)) {", "if (false) {"),
    ("raise: softmax over the keys", SOFTMAX, "index->linear.getVar() != std::optional(key)) {", "false) {"),
    ("raise: one maximum for a row", SOFTMAX, "if (variables.contains(key)) {", "if (false) {"),
    ("raise: factor log2(e)", SOFTMAX, "if (std::abs(*number - llvm::numbers::log2e) < 2 * epsilon)", "if (true)"),
    ("raise: rows that see nothing", SOFTMAX, "if (allHidden && !isAllHidden(context, allHidden, match.scores, key)) {", "if (false) {"),
    ("raise: maximum added back", SOFTMAX, "skipFloatCasts(exponent->second) ==\n            skipFloatCasts(expr->operands[1 - i]) &&", ""),
    ("raise: value product starts at zero", MATCH, "if (!start || *start != 0.0)", "if (false)"),
    ("raise: one element type", MATCH, "if (!accumulator || match.key->type != type || match.value->type != type)", "if (!accumulator)"),
    ("raise: output's element type", MATCH, "if (element != match.query->type &&", "if (false &&"),
    ("raise: a row is NaN", MATCH, "if (!isSafe && hidesARow(match))", "if (false)"),
    ("raise: readable table", MATCH, "(isReadable(operand->type) &&", "(true &&"),
    ("raise: readable bias", MATCH, "if (bias && !isReadable(getElementTypeOrSelf(bias.getBias())))", "if (false)"),
    ("raise: nothing between", SCORES, 'if (!hasScores(expr)) {', "if (!hasScores(expr) || !expr->is(\"arith.select\")) {"),
    ("raise: hidden by -inf", SCORES, "if (std::isinf(*hidden) && *hidden < 0) {", "if (*hidden < 0) {"),
    ("raise: finite masks stay numbers", TERMS, "if (std::isinf(hiding->first))", "if (true)"),
    ("raise: every row keeps a key", TERMS, "if (isBand && everyRowSeesAKey(match))", "if (isBand)"),
    ("raise: no other mask", TERMS, "if (match.booleanMask || match.keyLengths)\n    return;", ""),
    ("raise: one interval of offsets", TERMS, "if (visible != 1)", "if (visible == 0)"),
    ("raise: what hides", TERMS, "if (predicate != (isTrue ? visible : hidden))", "if (false)"),
    ("raise: heads in their order", TERMS, "if (!isShared && !(term->operands[rank - 3]->linear == head))", "if (false)"),
    ("raise: another user", USERS, "if (!isPure || op->hasTrait<OpTrait::IsTerminator>()) {", "if (false) {"),
    ("raise: log-sum-exp before the values", USERS, "if (!canComeAfterRoot(match, inBlock)) {", "if (false) {"),
    ("raise: log-sum-exp of these scores", USERS, "if (context.substitute(own, values) != scores)\n    return false;", ""),
    ("raise: function of the offset", BIAS, "isOffset = false;\n      return;", "return;"),
    ("raise: constant ids along diagonals", IDS, "else if (diagonal != value)\n        return nullptr;", ""),
    ("raise: one-hot in the table", BIAS, "if (!isInside(id, offset, range.low, range.high, node->predicate))\n      return;", ""),
    ("raise: assertions that hold", BIAS, "bias.isInBounds = isInside(row, offset, range.low, range.high, *bias.rows);", "bias.isInBounds = true;"),
    ("raise: positions that wrap", EXPR, "return llvm::isIntN(width, low) && llvm::isIntN(width, high);", "return true;"),
    ("raise: lengths that may wrap", EXPR, "if (!size || *size > kMaxOffset)\n      return false;", "if (!size)\n      continue;"),
]


def sh(command, **options):
    return subprocess.run(command, shell=True, text=True, capture_output=True, **options)


def prepare():
    """A copy of what git knows or would, built."""
    COPY.mkdir(parents=True, exist_ok=True)
    files = sh("git ls-files --cached --others --exclude-standard", cwd=ROOT, check=True).stdout
    for name in files.splitlines():
        source, target = ROOT / name, COPY / name
        if source.is_file() and (not target.exists() or source.read_bytes() != target.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    sh("cmake --preset release -DRELATTN_WERROR=OFF -DPython3_EXECUTABLE=" + str(ROOT / "build/venv/bin/python"), cwd=COPY, check=True)
    build = sh("cmake --build build", cwd=COPY)
    if build.returncode:
        raise SystemExit(build.stdout[-3000:])


def failures(guard=""):
    """Names of the tests of a guard that fail now."""
    python, opt = ROOT / "build/venv/bin/python", COPY / "build/bin"
    is_raising = guard.startswith("raise")
    tests = "Raising/.*mlir" if is_raising else "Transforms/|rewrite-refusals"
    tests = sh(f"$(llvm-config-22 --bindir)/lit --no-progress-bar build/test --filter '{tests}'", cwd=COPY)
    failed = [line.split("::")[1].split()[0] for line in tests.stdout.splitlines() if line.startswith("FAIL")]
    if is_raising:
        for run in ("random_frontend --look-alikes --programs 200", "random_frontend --programs 200", "variants"):
            if not failed:
                process = sh(f"RELATTN_BIN={opt} PYTHONPATH=python {python} -m relattn.testing.{run}", cwd=COPY)
                failed += [run] if process.returncode else []
        return failed
    random = sh(f"RELATTN_BIN={opt} PYTHONPATH=python {python} -m relattn.testing.random_linalg --programs 200",
                cwd=COPY)
    # So few programs do not reach every form: only the numbers count.
    right = ", 0 failed" in random.stdout and "a second run" not in random.stdout
    return failed + ([] if right else ["random_linalg"])


def main(parts):
    chosen = [m for m in MUTANTS if not parts or any(part in m[0] for part in parts)]
    prepare()
    broken = failures() + failures("raise")
    if broken:
        raise SystemExit(f"without a mutant these fail: {', '.join(broken)}")
    survived = 0
    for guard, name, text, instead in chosen:
        path = COPY / name
        original = path.read_text()
        if text not in original:
            raise SystemExit(f"{guard}: its text is no longer in {name}")
        path.write_text(original.replace(text, instead, 1))
        build = sh("cmake --build build --target relattn-opt", cwd=COPY)
        if build.returncode:
            path.write_text(original)
            raise SystemExit(f"{guard}: the mutant does not compile:\n{build.stdout[-2000:]}")
        failed = failures(guard)
        survived += not failed
        print(f"{guard}: {', '.join(failed) or 'SURVIVED'}", flush=True)
        path.write_text(original)
    print(f"{len(chosen) - survived} of {len(chosen)} guards have a test that fails without them")
    return survived > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
