//===- TileKind.cpp - What a linalg op on tiles is ------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kinds as strings.
//
//===----------------------------------------------------------------------===//

#include "TileKind.h"
#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace mlir::relattn;

static constexpr StringLiteral kAttribute = "relattn.tile";
static constexpr StringLiteral kNames[] = {
    "pack",      "copy",        "fill",         "fill_panels", "row",
    "bias",      "scores",      "mask",         "max",         "exp",
    "dots",      "dots_zero",   "dots_sum",     "row_values",  "zero",
    "values",    "rescale",     "rare_rescale", "split",       "exp_split",
    "pair_bias", "pair_scores", "pair_values"};

void relattn::setTileKind(Operation *op, TileKind kind) {
  op->setDiscardableAttr(
      kAttribute,
      StringAttr::get(op->getContext(), kNames[static_cast<unsigned>(kind)]));
}

std::optional<TileKind> relattn::getTileKind(Operation *op) {
  auto name =
      dyn_cast_if_present<StringAttr>(op->getDiscardableAttr(kAttribute));
  if (!name)
    return std::nullopt;
  const auto *found = llvm::find(kNames, name.getValue());
  if (found == std::end(kNames))
    return std::nullopt;
  return static_cast<TileKind>(found - kNames);
}
