//===- AttentionTiler.h - Tiling one attention ------------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The steps of relattn-tile-attention: slices of the op's tensors
// (AttentionSlices.cpp), the strip (AttentionStrip.cpp, AttentionRuns.cpp),
// copies of keys and values (AttentionCopies.cpp, for a matrix unit
// AttentionPairs.cpp), packing, steps and unpacking of panels
// (AttentionPanels.cpp), what is prefetched (AttentionPrefetches.cpp), the
// loops (TileAttention.cpp), those over parts of the keys (AttentionParts.cpp),
// and those of a GPU's workgroups (AttentionWorkgroups.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_TILING_ATTENTIONTILER_H
#define RELATTN_LIB_TILING_ATTENTIONTILER_H

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "Pairs.h"
#include "TileKind.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "relattn/IR/RelAttn.h"

namespace mlir::relattn {

/// Of keys, copied by one worker; a multiple of kChunk.
constexpr int64_t kRowsPerWorker = 64;

/// Panels are not made narrower for few queries.
constexpr int64_t kMinLanes = 16;

struct TileSizes {
  int64_t lanes, panels, keys;
  /// Threads that want work: where there is less, blocks have fewer panels.
  int64_t workers;
  /// One block is all queries: its keys may be split for more work.
  bool maySplitKeys = false;
  /// Panels of one query each, as many as there are, read along the keys.
  bool areRows = false;
  /// Blocks of `lanes` queries for the workgroups of a GPU.
  bool areWorkgroups = false;
  /// Factors in pairs of bf16, for a CPU's matrix unit (Pairs.h), weights as
  /// sums of so many; 0: not in pairs.
  int64_t weightParts = 0;

  /// What a worker touches next is prefetched.
  bool prefetches = false;

  bool arePairs() const { return weightParts > 0; }
};

class AttentionTiler {
public:
  AttentionTiler(AttentionOp op, RewriterBase &builder, TileSizes sizes)
      : op(op), b(builder), loc(op.getLoc()), sizes(sizes),
        accumulator(op.getAccumulatorType()),
        inputType(getElementTypeOrSelf(op.getQuery())),
        depth(op.getStaticSize(Dim::D)), width(op.getStaticSize(Dim::E)),
        batch(op.getBatchDimensions()) {
    if (BandAttr band = op.getBandAttr()) {
      bandLow = getBound(band.getLo());
      bandHigh = getBound(band.getHi());
    }
  }

  /// The op's results; `loops` gets those over workers.
  SmallVector<Value> tile(SmallVectorImpl<scf::ForallOp> &loops);

private:
  using Dim = AttentionOp::Dimension;

  bool isRow() const { return sizes.areRows; }
  /// Near enough to zero that positions can be added.
  static std::optional<int64_t> getBound(std::optional<int64_t> bound) {
    constexpr int64_t kFar = int64_t(1) << 61;
    if (bound)
      bound = std::clamp(*bound, -kFar, kFar);
    return bound;
  }
  using Online = OnlineAttentionOp;

  // Index arithmetic.
  Value number(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  template <typename Op, typename... Args> Value compute(Args... args) {
    return b.createOrFold<Op>(loc, args...);
  }
  Value add(Value lhs, Value rhs) { return compute<arith::AddIOp>(lhs, rhs); }
  Value sub(Value lhs, Value rhs) { return compute<arith::SubIOp>(lhs, rhs); }
  Value mul(Value lhs, Value rhs) { return compute<arith::MulIOp>(lhs, rhs); }
  Value min(Value lhs, Value rhs) { return compute<arith::MinSIOp>(lhs, rhs); }
  Value max(Value lhs, Value rhs) { return compute<arith::MaxSIOp>(lhs, rhs); }
  Value ceilDiv(Value lhs, Value rhs) {
    return compute<arith::CeilDivSIOp>(lhs, rhs);
  }

  Value getSize(unsigned dimension);
  /// A part of one of the op's tensors: `kept` dimensions from `offset`, of
  /// `size`; of the others the current entry.
  struct Range {
    Value offset;
    OpFoldResult size;
  };
  using Ranges = llvm::SmallDenseMap<unsigned, Range>;
  void getSlice(AffineMap map, const Ranges &kept,
                SmallVectorImpl<OpFoldResult> &offsets,
                SmallVectorImpl<OpFoldResult> &extents,
                SmallVectorImpl<unsigned> &order);
  Value extract(Value tensor, AffineMap map, const Ranges &kept,
                SmallVectorImpl<unsigned> &order);
  bool mayKeepUnit(ArrayRef<int64_t> shape);
  SmallVector<ReassociationIndices> getGroups(AffineMap map,
                                              const Ranges &kept);
  void insert(Value part, Value whole, AffineMap map, const Ranges &kept,
              scf::ForallOp worker);

  // Tensors of the whole op, before the loops.
  Value getStripOffset(OpBuilder &builder, Location bodyLoc, Value place,
                       Value batch);
  Value createBucketIds(Value length);
  std::optional<StepFunction> getRuns();
  void createStrip();
  bool isReadOften();
  void copyKeysAndValues();
  std::pair<Value, AffineMap> copyRows(Value tensor, AffineMap map,
                                       unsigned column);
  Value forEachRowBlock(AffineMap map, Value init,
                        function_ref<void(scf::ForallOp, Value)> body);
  void getEntrySizes(AffineMap map, SmallVectorImpl<OpFoldResult> &counts,
                     SmallVectorImpl<unsigned> &dimensions);
  // Pairs.
  void copyPairs();
  Value createPaddedKeys(Value first, Value count);
  Value createValueColumns(Value first, Value hidden, Value count);
  Value clear(Value tile, ArrayRef<OpFoldResult> offsets,
              ArrayRef<OpFoldResult> extents);
  Value createPairs(AffineMap map, Value count, ArrayRef<int64_t> shape);
  Value getPairBlock(Value pairs, AffineMap map, Value first,
                     OpFoldResult count, SmallVectorImpl<OpFoldResult> &offsets,
                     SmallVectorImpl<OpFoldResult> &extents);
  Value getPairs(Value pairs, AffineMap map, Value first, Value count);
  void fillPairs(scf::ForallOp worker, AffineMap map, Value first,
                 OpFoldResult count, function_ref<Value(Value)> fill);
  Value getPlainKeys(Value first, Value count);
  std::pair<Value, Value> getSeenRows(Value first);
  Value insertQueryPairs(Value tile, Value panel, Value panels);
  /// Padded to what the unit's tiles hold.
  int64_t getPairDepth() const { return llvm::alignTo(depth, kChunk); }
  int64_t getQueryParts();
  int64_t getValueParts();
  int64_t getPairWidth() const { return llvm::alignTo(width, kWords); }
  /// Places before those of the strip, for keys that do not count; whatever
  /// they hold.
  int64_t getStripMargin() const { return sizes.arePairs() ? kChunk : 0; }
  /// Rows of a panel's output.
  int64_t getOutRows() const {
    return sizes.arePairs() ? getPairWidth() : width;
  }
  Value alignUp(Value count, int64_t multiple) {
    return mul(ceilDiv(count, number(multiple)), number(multiple));
  }
  // The loops.
  void enter(ValueRange ivs);
  Value getNumEntries();
  Value getBlockPanels();
  std::pair<Value, Value> getVisibleKeys();
  Value getHead();
  Value createStripScratch();
  Value createStripRow(Value row, Value first, Value batch, Value head);
  Value limitBias(OpBuilder &builder, Location bodyLoc, Value bias);
  Value createRuns(const StepFunction &steps, Value row, Value first,
                   Value batch, Value head);
  void createBlockStrip(Value scratch);
  std::pair<Value, Value> getStrip(Value start);
  SmallVector<Value> createState();
  SmallVector<Value> createKeyLoop(Value begin, Value end);
  void store(scf::ForallOp worker, ValueRange state);
  Value getNumParts();
  SmallVector<Value> tileParts(Value numParts,
                               SmallVectorImpl<scf::ForallOp> &loops);
  // Workgroups.
  void createWorkgroupStrip(Value length);
  std::pair<Value, Value> getHeadStrip(Value query);
  Value createQueryBlock();
  std::pair<Value, Value> getSaturation();
  SmallVector<Value> createBlockStep(OpFoldResult keys, bool hasStrip,
                                     ValueRange state);
  Value shiftMaximum(Value maximum, Value number, bool isAdded);
  SmallVector<Value> createKeyLoops();
  Value createBlockResult(Value part, ArrayRef<unsigned> order,
                          ValueRange state, bool isLse);
  // Inside of the loop over workers.
  Value forEachPanel(Value init,
                     function_ref<Value(Value, Value, Value, Value)> body);
  Value createQueryPanels();
  bool isBlockCopied(Value tensor, AffineMap map, unsigned column);
  Value copyBlock(Value block, ArrayRef<unsigned> order, Value out,
                  bool columns = false);
  Value getBlock(Value tensor, AffineMap map, unsigned column, Value scratch,
                 SmallVectorImpl<unsigned> &order);
  SmallVector<int64_t> getPanelLanes();
  SmallVector<Value>
  createFittingStep(Value queries, ArrayRef<int64_t> lanes,
                    function_ref<SmallVector<Value>(int64_t)> createStep);
  SmallVector<Value> createPanelStep(Value panel, ValueRange state);
  /// Queries from a lane on, and keys from one of the block on.
  struct PanelPart {
    Value lane, queries, key, keys;
  };
  SmallVector<Value> createPartStep(Value panel, const PanelPart &part,
                                    ValueRange state);
  int64_t getUpperLanes();
  void findNextBlock(ValueRange ivs, Value numBlocks, Value blockSize);
  void createPrefetches(Value panel);
  void createPrefetch(Value tensor, AffineMap map, unsigned column, Value first,
                      Value count, bool isWritten);
  Value createOutput(Value out, ValueRange state);
  Value createLse(Value out, ValueRange state);
  Value createScratch(ArrayRef<int64_t> shape, Type type) {
    return bufferization::AllocTensorOp::create(
        b, loc, RankedTensorType::get(shape, type), ValueRange());
  }
  Value createFilled(ArrayRef<int64_t> shape, double value, TileKind kind);
  linalg::GenericOp
  createGeneric(TileKind kind, ValueRange ins, Value out,
                ArrayRef<AffineMap> maps, unsigned loops,
                function_ref<Value(OpBuilder &, Location, ValueRange)> body);
  /// Body: 1 / sum, 0 for a query that has seen nothing.
  static Value createInverse(OpBuilder &builder, Location loc, ValueRange args);
  /// Lanes of a panel, and back.
  Value getPanel(Value panels, Value panel, int64_t numLanes, Value lane);
  Value getPanel(Value panels, Value panel) {
    return getPanel(panels, panel, sizes.lanes, zero);
  }
  Value insertPanel(Value tensor, Value panel, Value panels, Value lane);
  Value insertPanel(Value tensor, Value panel, Value panels) {
    return insertPanel(tensor, panel, panels, zero);
  }
  AffineMap getOnlineMap(ArrayRef<unsigned> order);

  AttentionOp op;
  RewriterBase &b;
  Location loc;
  TileSizes sizes;
  FloatType accumulator;
  Type inputType;
  int64_t depth, width;
  /// Of the band; none where it has no bound.
  std::optional<int64_t> bandLow, bandHigh;
  /// b, g, r, as far as the op has them, and their sizes.
  SmallVector<unsigned> batch;
  SmallVector<OpFoldResult> counts;

  Value zero, one, lanes, numQueries, numKeys, queryOffset;
  /// Those of the op, or their copies.
  Value key, value;
  AffineMap keyMap, valueMap;
  /// What the strip is made of, if there is one, the bucket of each of its
  /// places, and where the offset of the last query or key lies; the strip of
  /// the current block, for workgroups of all heads.
  std::optional<StripSource> stripSource;
  bool stripHasBatch = false, stripHasHead = false;
  Value bucketIds, stripEnd, strip;
  /// The current entry of b, g, r.
  using Entry = llvm::SmallDenseMap<unsigned, Value>;
  Entry entry;
  /// The current block: its first query and number of queries; its first key
  /// and number of keys.
  Value firstQuery, blockQueries, firstKey, blockKeys;
  Value numPanels, queryPanels, keyBlock, valueBlock;
  /// For prefetches: the keys of the block of queries, where its results go to,
  /// and the block of queries that the worker takes next; null without.
  Value beginKey, endKey, destination, nextQuery, nextQueries;
  Entry nextEntry;
  SmallVector<unsigned> keyOrder, valueOrder;
};

} // namespace mlir::relattn

#endif // RELATTN_LIB_TILING_ATTENTIONTILER_H
