//===- DimensionNames.cpp - (b, g, r, m, n, d, e) in assembly -------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Maps over attention's iteration space, written with the dimensions' names.
//
//===----------------------------------------------------------------------===//

#include "DimensionNames.h"
#include "relattn/IR/RelAttn.h"

using namespace mlir;
using namespace mlir::relattn;

bool relattn::isNameable(AffineMap map) {
  return map.getNumDims() == AttentionOp::kNumDimensions &&
         map.isProjectedPermutation();
}

ParseResult relattn::parseDimensionNames(AsmParser &parser, AffineMap &map) {
  SmallVector<unsigned> dimensions;
  auto parseName = [&]() -> ParseResult {
    SMLoc loc = parser.getCurrentLocation();
    StringRef name;
    if (parser.parseKeyword(&name))
      return failure();
    const auto *found = llvm::find(kDimensionNames, name);
    if (found == std::end(kDimensionNames))
      return parser.emitError(loc, "expected a dimension, one of b, g, r, m, "
                                   "n, d, e; got '")
             << name << "'";
    unsigned dimension = found - std::begin(kDimensionNames);
    if (llvm::is_contained(dimensions, dimension))
      return parser.emitError(loc, "dimension '") << name << "' occurs twice";
    dimensions.push_back(dimension);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseName))
    return failure();
  map = AttentionOp::getMap(parser.getContext(), dimensions);
  return success();
}

void relattn::printDimensionNames(AsmPrinter &printer, AffineMap map) {
  printer << "(";
  llvm::interleaveComma(map.getResults(), printer, [&](AffineExpr expr) {
    printer << kDimensionNames[cast<AffineDimExpr>(expr).getPosition()];
  });
  printer << ")";
}
