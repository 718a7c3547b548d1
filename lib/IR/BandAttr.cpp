//===- BandAttr.cpp - The offsets that a query sees -----------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `<lo, hi>` with `*` for unbounded, and intersection.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/DialectImplementation.h"
#include "relattn/IR/RelAttn.h"

using namespace mlir;
using namespace mlir::relattn;

BandAttr BandAttr::getCausal(MLIRContext *context) {
  return get(context, std::nullopt, 0);
}

bool BandAttr::isCausal() const { return !getLo() && getHi() == 0; }

BandAttr BandAttr::intersect(BandAttr other) const {
  std::optional<int64_t> lo = getLo(), hi = getHi();
  if (other.getLo())
    lo = lo ? std::max(*lo, *other.getLo()) : other.getLo();
  if (other.getHi())
    hi = hi ? std::min(*hi, *other.getHi()) : other.getHi();
  return get(getContext(), lo, hi);
}

Attribute BandAttr::parse(AsmParser &parser, Type) {
  auto parseBound = [&](std::optional<int64_t> &bound) -> ParseResult {
    if (succeeded(parser.parseOptionalStar()))
      return success();
    int64_t value;
    if (parser.parseInteger(value))
      return failure();
    bound = value;
    return success();
  };
  std::optional<int64_t> lo, hi;
  if (parser.parseLess() || parseBound(lo) || parser.parseComma() ||
      parseBound(hi) || parser.parseGreater())
    return {};
  return get(parser.getContext(), lo, hi);
}

void BandAttr::print(AsmPrinter &printer) const {
  auto printBound = [&](std::optional<int64_t> bound) {
    if (bound)
      printer << *bound;
    else
      printer << "*";
  };
  printer << "<";
  printBound(getLo());
  printer << ", ";
  printBound(getHi());
  printer << ">";
}
