//===- TileAttention.cpp - From attention to tiles in loops ---------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds level 2 by hand: the loops over workers, key blocks and panels carry a
// state of their own, which no interface of upstream tiles. What a reader may
// miss:
// - Scores are computed transposed, lanes = queries (notes of the rationale). A
//   panel is a packed query tile D x lanes; keys and values are read as they
//   are.
// - Panels of one block share each block of keys while it is in the cache.
// - The band bounds the loop over keys, so tiles outside are never visited;
//   inside, the strip holds -inf.
// - Blocks of queries run from the last to the first: with a causal band the
//   longest come first, and a dynamic schedule balances.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "../Transforms/ScoresTrace.h"
#include "AttentionTiler.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "relattn/Tiling/Passes.h"
#include "relattn/Tiling/Transforms.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_TILEATTENTION
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

static constexpr StringLiteral kRewrite = "TileAttention";

//===----------------------------------------------------------------------===//
// The loops
//===----------------------------------------------------------------------===//

/// The current entry, from the loop over workers; nothing: the one that it is.
void AttentionTiler::enter(ValueRange ivs) {
  for (auto [dimension, iv] : llvm::zip(batch, ivs))
    entry[dimension] = iv;
  queryOffset = op.getQueryOffset();
  if (queryOffset && !queryOffset.getType().isIndex())
    queryOffset = extractIndex(b, loc, queryOffset, entry.lookup(Dim::B));
}

/// Heads of all batch entries.
Value AttentionTiler::getNumEntries() {
  Value entries = one;
  for (OpFoldResult count : counts)
    entries = mul(entries, getValueOrCreateConstantIndexOp(b, loc, count));
  return entries;
}

/// The panels of a block: the more share a block of keys the better, as long as
/// the worker with the most of them has few more than blocks of one would leave
/// it. (Rows would read the keys more than once.)
Value AttentionTiler::getBlockPanels() {
  Value panels = number(sizes.panels);
  if (sizes.workers <= 1 || isRow())
    return panels;
  Value workers = number(sizes.workers), entries = getNumEntries(),
        all = ceilDiv(numQueries, lanes);
  Value share = ceilDiv(mul(entries, all), workers);
  // Workers that take as many blocks, or the next one when they are done.
  auto getMost = [&](Value size) {
    Value blocks = mul(entries, ceilDiv(all, size));
    return min(mul(min(size, all), ceilDiv(blocks, workers)),
               add(share, sub(size, one)));
  };
  // At most a sixteenth more: sharing gains as much.
  Value limit = mul(share, number(17));
  SmallVector<int64_t> larger;
  for (int64_t size = sizes.panels; size > 1; size /= 2)
    larger.push_back(size);
  panels = one;
  for (int64_t size : llvm::reverse(larger)) {
    Value most = mul(getMost(number(size)), number(16));
    Value fits = compute<arith::CmpIOp>(arith::CmpIPredicate::sle, most, limit);
    panels = compute<arith::SelectOp>(fits, number(size), panels);
  }
  return panels;
}

/// The keys that some query of the block sees: first and end.
std::pair<Value, Value> AttentionTiler::getVisibleKeys() {
  Value begin = zero, end = numKeys;
  if (Value lengths = op.getKeyLengths())
    end = max(zero, min(numKeys,
                        extractIndex(b, loc, lengths, entry.lookup(Dim::B))));
  if (!op.getBandAttr() || op.getStaticSize(Dim::N) == 1)
    return {begin, end};
  Value position = firstQuery;
  if (queryOffset)
    position = add(position, queryOffset);
  if (bandHigh)
    end = max(zero,
              min(end, add(add(position, blockQueries), number(*bandHigh))));
  if (bandLow)
    begin = max(zero, add(position, number(*bandLow)));
  return {begin, end};
}

/// out, max and sum of the block before any key. Destinations of different
/// content: equal ones would be merged and copied.
SmallVector<Value> AttentionTiler::createState() {
  return {createFilled({sizes.panels, getOutRows(), sizes.lanes}, 0.0,
                       TileKind::FillPanels),
          createFilled({sizes.panels, sizes.lanes},
                       -std::numeric_limits<double>::infinity(), TileKind::Row),
          createFilled({sizes.panels, sizes.lanes}, 0.0, TileKind::Row)};
}

/// The state after the keys from `begin` to `end`.
SmallVector<Value> AttentionTiler::createKeyLoop(Value begin, Value end) {
  queryPanels = createQueryPanels();
  SmallVector<Value> state = createState();
  Value keyScratch, valueScratch;
  if (sizes.arePairs()) // of whole chunks; the strip hides what is too early
    begin = mul(compute<arith::DivUIOp>(begin, number(kChunk)), number(kChunk));
  beginKey = begin;
  endKey = end;
  if (!sizes.arePairs() && isBlockCopied(key, keyMap, Dim::D))
    keyScratch = createScratch({sizes.keys, depth}, accumulator);
  if (!sizes.arePairs() && isBlockCopied(value, valueMap, Dim::E))
    valueScratch = createScratch({sizes.keys, width}, accumulator);
  Value stripScratch = createStripScratch();
  auto keyLoop = scf::ForOp::create(
      b, loc, begin, end, number(sizes.keys), state,
      [&](OpBuilder &, Location, Value first, ValueRange args) {
        firstKey = first;
        blockKeys = min(sub(end, first), number(sizes.keys));
        if (!sizes.arePairs()) {
          keyBlock = getBlock(key, keyMap, Dim::D, keyScratch, keyOrder);
          valueBlock =
              getBlock(value, valueMap, Dim::E, valueScratch, valueOrder);
        }
        createBlockStrip(stripScratch);
        auto panelLoop = scf::ForOp::create(
            b, loc, zero, numPanels, one, args,
            [&](OpBuilder &, Location, Value panel, ValueRange inner) {
              scf::YieldOp::create(b, loc, createPanelStep(panel, inner));
            });
        scf::YieldOp::create(b, loc, panelLoop.getResults());
      });
  return keyLoop.getResults();
}

/// The block's results into the destinations.
void AttentionTiler::store(scf::ForallOp worker, ValueRange state) {
  auto storeOne = [&](Value out, AffineMap map, bool isLse) {
    Ranges kept = {{Dim::M, {firstQuery, blockQueries}}};
    if (!isLse)
      kept[Dim::E] = {zero, b.getIndexAttr(width)};
    SmallVector<unsigned> order;
    Value part = extract(out, map, kept, order);
    part = sizes.areWorkgroups ? createBlockResult(part, order, state, isLse)
           : isLse             ? createLse(part, state)
                               : createOutput(part, state);
    insert(part, out, map, kept, worker);
  };
  storeOne(worker.getRegionIterArgs()[0], op.getOutputMap(), /*isLse=*/false);
  if (!op.getLseInit())
    return;
  storeOne(worker.getRegionIterArgs()[1], op.getLseMap(), /*isLse=*/true);
}

SmallVector<Value> AttentionTiler::tile(SmallVectorImpl<scf::ForallOp> &loops) {
  b.setInsertionPoint(op);
  zero = number(0);
  one = number(1);
  lanes = number(sizes.lanes);
  numQueries = getSize(Dim::M);
  numKeys = getSize(Dim::N);
  createStrip();
  copyKeysAndValues();
  for (unsigned dimension : batch)
    counts.push_back(op.getMixedSize(b, dimension));
  if (Value numParts = getNumParts())
    return tileParts(numParts, loops);

  Value blockSize = mul(getBlockPanels(), lanes);
  Value numBlocks = ceilDiv(numQueries, blockSize);
  SmallVector<OpFoldResult> workers(counts);
  workers.push_back(getAsOpFoldResult(numBlocks));
  auto forall = scf::ForallOp::create(b, loc, workers, op.getInits(),
                                      /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forall.getBody());
  SmallVector<Value> ivs = forall.getInductionVars();
  enter(ivs);
  firstQuery = mul(sub(sub(numBlocks, one), ivs.back()), blockSize);
  blockQueries = min(sub(numQueries, firstQuery), blockSize);
  numPanels = ceilDiv(blockQueries, lanes);
  if (sizes.areWorkgroups) {
    queryPanels = createQueryBlock();
    store(forall, createKeyLoops());
  } else {
    if (sizes.prefetches) {
      destination = forall.getRegionIterArgs()[0];
      findNextBlock(ivs, numBlocks, blockSize);
    }
    auto [begin, end] = getVisibleKeys();
    store(forall, createKeyLoop(begin, end));
  }
  loops.push_back(forall);
  return forall.getResults();
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

/// Whether a slice of `map` keeps d or e of size 1, then another dimension, and
/// then drops one. Upstream takes the latter for the unit that is kept, and so
/// its stride for that of the other one; the collapse of a slice that drops
/// none, as of a panel, is a copy.
static bool dropsWrongUnit(AttentionOp op, AffineMap map) {
  bool hasUnit = false, hasOther = false;
  for (AffineExpr expr : map.getResults()) {
    unsigned dimension = cast<AffineDimExpr>(expr).getPosition();
    if (llvm::is_contained(op.getBatchDimensions(), dimension)) {
      if (hasOther)
        return true;
      continue;
    }
    bool isUnit =
        (dimension == AttentionOp::D || dimension == AttentionOp::E) &&
        op.getStaticSize(dimension) == 1;
    hasOther |= hasUnit && !isUnit;
    hasUnit |= isUnit;
  }
  return false;
}

StringRef relattn::getTilingObstacle(AttentionOp op, bool forWorkgroups) {
  if (ShapedType::isDynamic(op.getStaticSize(AttentionOp::D)) ||
      ShapedType::isDynamic(op.getStaticSize(AttentionOp::E)))
    return "the sizes of d and e are not static";
  if (op.getStaticSize(AttentionOp::D) == 0 ||
      op.getStaticSize(AttentionOp::E) == 0)
    return "d or e is empty";
  if (op.getStaticSize(AttentionOp::D) > 256 ||
      op.getStaticSize(AttentionOp::E) > 256)
    return "d or e is larger than 256";
  for (auto [tensor, map] : op.getMappedOperands())
    if (llvm::is_contained(cast<RankedTensorType>(tensor.getType()).getShape(),
                           0))
      return "a dimension is empty";
  if (!forWorkgroups && op.getKeyLengths() &&
      op.getStaticSize(AttentionOp::N) == 1)
    return "one key may be none";
  BiasSchemeAttrInterface scheme = op.getBiasSchemeAttr();
  if (scheme && !scheme.isOffsetFunction() && !isa<DenseAttr>(scheme))
    return "the bias is no function of the offset";
  if (forWorkgroups) {
    for (auto [tensor, map] : op.getMappedOperands())
      if (dropsWrongUnit(op, map))
        return "a batch dimension is inside of d or e of size 1 and of m or n";
    return {};
  }
  auto isNarrow = [](Value tensor, Type accumulator) {
    Type element = getElementTypeOrSelf(tensor);
    return element != accumulator && !element.isInteger(1);
  };
  Type accumulator = op.getAccumulatorType();
  if (isa_and_present<DenseAttr>(scheme) && isNarrow(op.getBias(), accumulator))
    return "the dense bias is narrower than the accumulator";
  if (op.getMask() && isNarrow(op.getMask(), accumulator))
    return "the mask is narrower than the accumulator";
  return {};
}

/// Whether matrix units of 16-bit factors take the op's products.
static bool fitsMatrixUnits(AttentionOp op) {
  Type element = getElementTypeOrSelf(op.getQuery());
  return (element.isF16() || element.isBF16()) &&
         llvm::all_of(ArrayRef<unsigned>{AttentionOp::D, AttentionOp::E},
                      [&](unsigned dimension) {
                        int64_t size = op.getStaticSize(dimension);
                        return size % 16 == 0 && size <= 128;
                      });
}

/// Queries, keys, values and weights of a workgroup, whose rows start on 16
/// bytes and 16 behind the end of the one before.
static int64_t getSharedBytes(AttentionOp op, const TileSizes &sizes) {
  auto getRow = [](Type type, int64_t columns) -> int64_t {
    return llvm::alignTo(columns * type.getIntOrFloatBitWidth() / 8, 16) + 16;
  };
  int64_t depth = op.getStaticSize(AttentionOp::D),
          width = op.getStaticSize(AttentionOp::E);
  Type type = getElementTypeOrSelf(op.getQuery());
  return sizes.lanes * (getRow(type, depth) +
                        getRow(op.getAccumulatorType(), sizes.keys)) +
         sizes.keys * (getRow(type, llvm::alignTo(depth, kMaxRowPeers)) +
                       getRow(type, llvm::alignTo(width, kMaxRowPeers)));
}

static TileSizes getWorkgroupSizes(AttentionOp op,
                                   const AttentionTileOptions &options) {
  TileSizes sizes{options.lanes, /*panels=*/1, options.keys, /*workers=*/1};
  sizes.areWorkgroups = true;
  int64_t columns = std::max(op.getStaticSize(AttentionOp::D),
                             op.getStaticSize(AttentionOp::E));
  // Scores leave registers to a wide output: on an H100, tiles of 32 keys are
  // 0.98 to 1.09 times as fast as those of 64 at 128, 0.9 at 64.
  constexpr int64_t kWide = 64;
  if (options.matrixUnits && fitsMatrixUnits(op)) {
    if (columns > kWide)
      sizes.keys = std::max(sizes.keys / 2, std::min<int64_t>(sizes.keys, 16));
    return sizes;
  }
  // A few rows for each few threads. Tiles of all but f64 of more than 128
  // columns fit into 64 KB of shared memory, and these into 100.
  bool isDouble = op.getAccumulatorType().isF64();
  sizes.lanes =
      std::min<int64_t>(sizes.lanes, columns > 2 * kWide || isDouble ? 32 : 64);
  int halves = (columns > kWide) + (columns > 2 * kWide) + isDouble;
  sizes.keys = std::min(sizes.keys, std::max<int64_t>(32 >> halves, 8));
  while (options.sharedBytes > 0 &&
         getSharedBytes(op, sizes) > options.sharedBytes) {
    if (sizes.keys > 8)
      sizes.keys /= 2;
    else if (sizes.lanes > 8)
      sizes.lanes /= 2;
    else if (sizes.keys > 1)
      sizes.keys /= 2;
    else
      break; // the schedule says what it wants
  }
  return sizes;
}

/// Each query a row of its own.
static TileSizes getRowSizes(int64_t numQueries,
                             const AttentionTileOptions &options) {
  TileSizes sizes{/*lanes=*/1, /*panels=*/numQueries, options.rowKeys,
                  options.workers};
  sizes.maySplitKeys = sizes.areRows = true;
  return sizes;
}

/// Sizes for a CPU's matrix unit, if it is worth the copies that it needs and
/// what it pads: no more than half of the work.
static std::optional<TileSizes>
getPairSizes(AttentionOp op, const AttentionTileOptions &options) {
  // Four tiles of accumulators side by side; more keys share the rescaling of
  // an output, fewer leave more of a causal band's blocks alone.
  TileSizes sizes{/*lanes=*/4 * kWords, /*panels=*/4, /*keys=*/8 * kChunk,
                  options.workers};
  sizes.weightParts = options.weightParts;
  sizes.prefetches = options.prefetch;
  int64_t queries = op.getStaticSize(AttentionOp::M),
          depth = op.getStaticSize(AttentionOp::D),
          width = op.getStaticSize(AttentionOp::E);
  if (std::max(depth, width) >= 128)
    sizes.keys /= 2;
  bool isOneBlock =
      ShapedType::isStatic(queries) && queries <= sizes.lanes * sizes.panels;
  // What is visible must be known where keys and values are copied.
  bool isOfEntry =
      op.getKeyLengths() ||
      (op.getQueryOffset() && !op.getQueryOffset().getType().isIndex());
  bool isKnown =
      !isOfEntry || (op.getKeyMap().isFunctionOfDim(AttentionOp::B) &&
                     op.getValueMap().isFunctionOfDim(AttentionOp::B));
  uint64_t padded = llvm::alignTo(depth, kChunk) + llvm::alignTo(width, kWords);
  if (options.weightParts == 0 || !op.getAccumulatorType().isF32() ||
      isOneBlock || !isKnown || 2 * padded > uint64_t(3 * (depth + width)) ||
      op->getParentWithTrait<OpTrait::HasParallelRegion>())
    return std::nullopt;
  return sizes;
}

/// The sizes for one op; of a dynamic number of queries, for many.
static TileSizes getTileSizes(AttentionOp op,
                              const AttentionTileOptions &options) {
  TileSizes sizes{options.lanes, options.panels, options.keys, options.workers};
  if (options.workgroups)
    return getWorkgroupSizes(op, options);
  if (std::optional<TileSizes> pairs = getPairSizes(op, options))
    return *pairs;
  sizes.prefetches = options.prefetch;
  if (op.getAccumulatorType().isF64()) {
    sizes.lanes = std::max<int64_t>(sizes.lanes / 2, 1);
    sizes.keys = std::max<int64_t>(sizes.keys / 2, 1);
  }
  // What a block of keys and one of values take of the caches.
  if (op.getStaticSize(AttentionOp::D) >= 128)
    sizes.keys = std::max<int64_t>(sizes.keys / 2, 1);
  // Few queries leave lanes of a panel empty, and fewer yet most of them: then
  // each is a row.
  int64_t numQueries = op.getStaticSize(AttentionOp::M);
  if (ShapedType::isDynamic(numQueries))
    return sizes;
  if (numQueries <= options.rows)
    return getRowSizes(numQueries, options);
  while (sizes.lanes > kMinLanes && numQueries <= sizes.lanes / 2)
    sizes.lanes /= 2;
  int64_t panels = llvm::divideCeil(numQueries, sizes.lanes);
  if (panels <= sizes.panels) {
    sizes.panels = panels;
    sizes.maySplitKeys = true;
  }
  return sizes;
}

/// Rows if the queries turn out to be few, else panels.
static void tileByNumQueries(RewriterBase &b, AttentionOp op,
                             const AttentionTileOptions &options,
                             SmallVectorImpl<scf::ForallOp> &loops) {
  Location loc = op.getLoc();
  Value few = arith::ConstantIndexOp::create(b, loc, options.rows);
  Value numQueries = getValueOrCreateConstantIndexOp(
      b, loc, op.getMixedSize(b, AttentionOp::M));
  Value areFew =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle, numQueries, few);
  auto branch = scf::IfOp::create(b, loc, op->getResultTypes(), areFew,
                                  /*withElseRegion=*/true);
  auto tileCopy = [&](Block *block, TileSizes sizes) {
    b.setInsertionPointToEnd(block);
    auto copy = cast<AttentionOp>(b.clone(*op));
    SmallVector<Value> results = AttentionTiler(copy, b, sizes).tile(loops);
    b.setInsertionPointToEnd(block);
    scf::YieldOp::create(b, loc, results);
    b.eraseOp(copy);
  };
  TileSizes rows = getRowSizes(options.rows, options);
  // Parts are of a known number of queries.
  rows.maySplitKeys = false;
  tileCopy(branch.thenBlock(), rows);
  tileCopy(branch.elseBlock(), getTileSizes(op, options));
  b.replaceOp(op, branch);
}

FailureOr<SmallVector<scf::ForallOp>>
relattn::tileAttention(RewriterBase &rewriter, AttentionOp op,
                       const AttentionTileOptions &options) {
  if (!getTilingObstacle(op, options.workgroups).empty())
    return failure();
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  SmallVector<scf::ForallOp> loops;
  if (ShapedType::isDynamic(op.getStaticSize(AttentionOp::M)) &&
      options.dynamicRows && options.rows > 0 && !options.workgroups) {
    tileByNumQueries(rewriter, op, options, loops);
    return loops;
  }
  AttentionTiler tiler(op, rewriter, getTileSizes(op, options));
  rewriter.replaceOp(op, tiler.tile(loops));
  return loops;
}

namespace {
struct TileAttention : public relattn::impl::TileAttentionBase<TileAttention> {
  using TileAttentionBase::TileAttentionBase;

  void runOnOperation() override {
    SmallVector<AttentionOp> ops;
    getOperation()->walk([&](AttentionOp op) { ops.push_back(op); });
    if (lanes < 1 || panels < 1 || keys < 1 || rowKeys < 1 || workers < 1) {
      getOperation()->emitError("expected tile sizes of at least 1");
      return signalPassFailure();
    }
    if (weightParts < 0 || weightParts > kMaxParts) {
      getOperation()->emitError("expected weights of 1 to 3 parts, or none");
      return signalPassFailure();
    }
    AttentionTileOptions options;
    options.lanes = lanes;
    options.panels = panels;
    options.keys = keys;
    options.rows = rows;
    options.rowKeys = rowKeys;
    options.workers = workers;
    options.dynamicRows = dynamicRows;
    options.workgroups = workgroups;
    options.matrixUnits = matrixUnits;
    options.weightParts = weightParts;
    options.prefetch = prefetch;
    options.sharedBytes = sharedBytes;
    IRRewriter rewriter(&getContext());
    for (AttentionOp op : ops) {
      if (StringRef reason = getTilingObstacle(op, workgroups);
          !reason.empty()) {
        emitMissedRemark(op, kRewrite, reason);
        ++numLeft;
        continue;
      }
      (void)relattn::tileAttention(rewriter, op, options);
      ++numTiled;
    }
  }
};
} // namespace
