//===- AttentionStrip.cpp - Bias and band as one strip --------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Spread once for all tiles. Read backwards, so that the queries of a panel are
// one load; for rows forwards, so that keys are.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "AttentionTiler.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::relattn;

/// strip[(b,) (h,) x] is the bias of offset (N - 1) - x - query_offset, and
/// -inf outside of the band: read at x = (N - 1) + i - j. The last lanes of the
/// last panel may be beyond the queries; what they read is never used. For rows
/// it is that of x - (M - 1) - query_offset, read at x = (M - 1) + j - i.
void AttentionTiler::createStrip() {
  BiasSchemeAttrInterface scheme = op.getBiasSchemeAttr();
  BandAttr band = op.getBandAttr();
  StripSource source;
  if (scheme && !isa<DenseAttr>(scheme))
    source = {scheme, op.getBias(), op.getZero()};
  if (!source.scheme && !band)
    return;
  Value offsets = op.getQueryOffset();
  source.hasBatch = stripHasBatch = offsets && !offsets.getType().isIndex();
  bool isShared =
      source.scheme &&
      scheme.isSharedByHeads(cast<RankedTensorType>(source.bias.getType()));
  source.hasHeads = stripHasHead = source.scheme && !isShared;

  SmallVector<OpFoldResult> shape;
  if (stripHasBatch)
    shape.push_back(getAsOpFoldResult(getSize(Dim::B)));
  if (stripHasHead)
    shape.push_back(getAsOpFoldResult(mul(getSize(Dim::G), getSize(Dim::R))));
  shape.push_back(getAsOpFoldResult(add(add(numQueries, numKeys), lanes)));
  Value init = tensor::EmptyOp::create(b, loc, shape, accumulator);
  Value last = sub(isRow() ? numQueries : numKeys, one);
  strip = createBiasStrip(
      b, loc, source, init,
      [&](OpBuilder &inner, Location bodyLoc, Value batch, Value place) {
        Value offset = isRow()
                           ? arith::SubIOp::create(inner, bodyLoc, place, last)
                           : arith::SubIOp::create(inner, bodyLoc, last, place);
        if (!offsets)
          return offset;
        Value own =
            batch ? extractIndex(inner, bodyLoc, offsets, batch) : offsets;
        return Value(arith::SubIOp::create(inner, bodyLoc, offset, own));
      },
      [&](OpBuilder &inner, Location bodyLoc, Value bias, Value offset) {
        auto hide = [&](std::optional<int64_t> bound,
                        arith::CmpIPredicate visible) {
          if (!bound)
            return;
          Value limit = arith::ConstantIndexOp::create(inner, bodyLoc, *bound);
          Value inside =
              arith::CmpIOp::create(inner, bodyLoc, visible, offset, limit);
          Value hidden =
              createFloatConstant(inner, bodyLoc, accumulator,
                                  -std::numeric_limits<double>::infinity());
          bias = arith::SelectOp::create(inner, bodyLoc, inside, bias, hidden);
        };
        if (band) {
          hide(band.getLo(), arith::CmpIPredicate::sge);
          hide(band.getHi(), arith::CmpIPredicate::sle);
        }
        return bias;
      });
}
