//===- TileEmitter.h - Tiles of a workgroup as code of a thread -*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Level 3 on buffers to the code of one thread of a workgroup. A tile of scores
// or of the output lies in registers, in the layout of the matrix unit's
// accumulators or, without one, a few rows in each few threads; queries, keys
// and values go through shared memory. The steps: control and what a tile
// becomes (TileEmitter.cpp), ops on elements and rows (EmitElements.cpp),
// copies to shared memory (EmitCopies.cpp), products (EmitProducts.cpp,
// EmitSimtProducts.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_GPU_TILEEMITTER_H
#define RELATTN_LIB_GPU_TILEEMITTER_H

#include "../Tiling/TileKind.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "relattn/GPU/Fragment.h"
#include "relattn/GPU/GPUChip.h"

namespace mlir::relattn {

/// How the threads of a workgroup share its tiles.
struct Schedule {
  enum Kind {
    Mma, ///< mma.m16n8k16: factors of 16 bits, accumulators of f32
    Simt ///< multiply-adds: any type and target
  } kind = Mma;
  /// Warps of 32 threads, each with `rowTiles` times the rows of a fragment.
  int64_t warps = 4, rowTiles = 2;
  /// Of the simt schedule, whose warps follow from them: rows of a tile, and
  /// threads that share `rowTiles` of these.
  int64_t rows = 0, peers = 1;
  /// cp.async, of sm_80 and up.
  bool hasAsyncCopies = false;
  /// Whose intrinsics kernels call.
  GPUTarget target = GPUTarget::NVVM;
  /// Shared memory that a workgroup may have; 0: no limit.
  int64_t maxSharedBytes = 0;
  /// Elements of d in one step of the simt schedule's products: shared memory
  /// is read as vectors.
  static constexpr int64_t kSimtStep = 4;
  /// Of d, e and a tile's keys, what the registers of the mma schedule hold.
  static constexpr int64_t kMaxMmaColumns = 128;

  bool isMma() const { return kind == Mma; }
  int64_t getNumThreads() const {
    return isMma() ? warps * Fragment::kNumLanes : rows * peers / rowTiles;
  }
  /// The kernel declares what it needs; else the launch says it.
  bool hasStaticSharedMemory() const { return target == GPUTarget::SPIRV; }
  /// As in errors.
  StringRef getName() const { return isMma() ? "mma" : "simt"; }
};

/// Why a loop over workgroups cannot be emitted, and at which op.
struct EmitFailure {
  Operation *op;
  std::string reason;
};

class TileEmitter {
public:
  TileEmitter(scf::ForallOp forall, OpBuilder &builder, Schedule schedule);

  /// The launch in place of the loop over workgroups, which stays; or why not.
  std::optional<EmitFailure> emit();

private:
  /// What a buffer of the workgroup becomes.
  struct Tile {
    enum Place {
      Matrix, ///< registers, as accumulators
      Row,    ///< registers, one for each row that a lane has
      Scalar, ///< a register
      Shared  ///< shared memory, rows padded
    } place;
    /// The registers (private memory, which LLVM turns into registers), or the
    /// shared memory.
    Value storage;
    int64_t rows = 0, columns = 0;
    /// Columns that registers hold: as many in each lane.
    int64_t paddedColumns = 0;
    /// A row's sums of what each lane has, to be added over its peers.
    bool isPartial = false;
  };
  /// An operand: a tile, or memory of the whole kernel.
  struct View {
    Tile *tile = nullptr;
    Value memory;
    /// Of the part of a tile, or of the memory.
    SmallVector<OpFoldResult> sizes;
  };

  // Control (TileEmitter.cpp).
  LogicalResult fail(Operation *op, const Twine &reason);
  LogicalResult classify(Block &block);
  LogicalResult emitBlock(Block &block);
  LogicalResult emitOp(Operation *op);
  /// `stages`: the loops and the ops on rows between them, in their order.
  LogicalResult emitKeyLoops(ArrayRef<Operation *> stages);
  LogicalResult emitMmaKeyLoops(ArrayRef<Operation *> stages);
  LogicalResult emitSimtKeyLoops(ArrayRef<Operation *> stages);
  LogicalResult
  emitStages(ArrayRef<Operation *> stages,
             function_ref<LogicalResult(scf::ForOp loop, Value key)> emitTile);
  bool queriesFit();
  void createThreadIndices();
  Value createRegisters(int64_t count, Type type);
  Value createShared(ArrayRef<int64_t> shape, Type type);
  int64_t getNumRows() {
    return schedule.isMma()
               ? schedule.warps * schedule.rowTiles * accumulators.getNumRows()
               : schedule.rows;
  }
  View getView(Value buffer);
  static Value getRoot(Value buffer);
  static bool hasProduct(Operation *op);
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  template <typename Op> Value compute(Value lhs, Value rhs) {
    return b.createOrFold<Op>(loc, lhs, rhs);
  }
  Value add(Value lhs, Value rhs) { return compute<arith::AddIOp>(lhs, rhs); }
  Value add(Value lhs, int64_t rhs) { return rhs ? add(lhs, index(rhs)) : lhs; }
  Value mul(Value lhs, int64_t rhs) {
    return compute<arith::MulIOp>(lhs, index(rhs));
  }
  Value apply(AffineMap map, ValueRange operands);
  Value lookup(Value value) { return values.lookupOrDefault(value); }
  Value lookup(OpFoldResult size);

  // Elements and rows (EmitElements.cpp).
  /// Dimensions of a generic: those of the rows, and of the columns (if any).
  struct Space {
    unsigned row = 0;
    std::optional<unsigned> column;
    int64_t columns = 0;
    /// Where the op ends before the tile does; null: nowhere.
    Value rowEnd, columnEnd;
  };
  /// An op on tiles; what becomes of an operand, if it is a result.
  struct Elements {
    linalg::LinalgOp op;
    SmallVector<View> views;
    SmallVector<AffineMap> maps;
    Space space{};
    enum Result { None, Stored, InMemory, Maximum, Sum };
    SmallVector<Result> results{};
    bool hasMemoryResult = false, writesPartial = false;
  };
  LogicalResult emitElements(linalg::LinalgOp op);
  FailureOr<Elements> analyzeElements(linalg::LinalgOp op);
  void emitRow(Elements &elements, int64_t rowTile, int64_t group);
  void emitElement(Elements &elements, SmallVectorImpl<Value> &rows, Value row,
                   int64_t rowTile, int64_t columnTile, int64_t reg);
  Value clampTo(Value at, Value end);
  Value isBefore(Value at, Value end);
  LogicalResult emitCooperative(linalg::LinalgOp op);
  FailureOr<Space> getSpace(linalg::LinalgOp op, MutableArrayRef<View> views);
  SmallVector<Value> emitBody(linalg::LinalgOp op, ValueRange args,
                              ArrayRef<Value> indices);
  Value emitExp2(Value x);
  Value emitNarrowLog(Value x);
  Value emitLog(Value x);
  Value loadRegister(Value storage, int64_t reg);
  void storeRegister(Value value, Value storage, int64_t reg);
  Value exchange(Value value, int64_t mask);
  Value reduceOverPeers(Value value, bool isMaximum);
  int64_t getMatrixRegister(const Tile &tile, int64_t rowTile,
                            int64_t columnTile, int64_t reg) {
    return (rowTile * (tile.paddedColumns / accumulators.getNumColumns()) +
            columnTile) *
               accumulators.getNumRegisters() +
           reg;
  }
  int64_t getRowRegister(int64_t rowTile, int64_t reg) {
    return rowTile * numRowGroups + rowGroups[reg];
  }

  // Copies to shared memory (EmitCopies.cpp).
  /// A factor of a product in shared memory, [buffers, rows, columns]: two
  /// buffers in turn, or one.
  struct Staged {
    Value operand; ///< of the product in the last loop
    Value storage;
    int64_t rows, columns;
    bool isTransposed;
  };
  LogicalResult emitQueryCopy(Operation *op, Value source, Value target);
  LogicalResult createStaged();
  void emitStagedCopy(const Staged &factor, Value key, Value buffer);
  void emitNextCopy(ArrayRef<Staged> factors, Value key, Value buffer);
  void commitCopies();
  void waitForCopies(int64_t pending);
  bool isAsync(Value memory, bool isTransposed);
  void emitAsyncCopy(Value memory, Value rowsThere, Value storage,
                     ValueRange leading, int64_t rows, int64_t columns);
  void emitCopy(Value memory, bool isTransposed, Value rowsThere, Value storage,
                Value buffer, int64_t rows, int64_t columns,
                function_ref<Value(Value)> body);
  Value emitLoad(Value memory, bool isTransposed, Value row, Value column,
                 Value rowEnd, Value columnEnd,
                 function_ref<Value(Value)> body);
  Value cloneInto(Value value, IRMapping &mapping, Operation *scope);

  // Products (EmitProducts.cpp, EmitSimtProducts.cpp).
  LogicalResult emitScores(linalg::GenericOp op);
  LogicalResult emitRareRescale(linalg::LinalgOp op);
  LogicalResult emitValues(linalg::GenericOp op);
  SmallVector<Value> loadQueries(linalg::GenericOp op, int64_t first,
                                 int64_t last);
  SmallVector<Value> loadMatrices(Value storage, ValueRange leading, Value row,
                                  Value column, bool isTransposed);
  LogicalResult emitSimtScores(linalg::GenericOp op);
  LogicalResult emitSimtValues(linalg::GenericOp op);
  Value getSimtRow(int64_t rowTile);
  void shareWeights(const Tile &weights);
  void multiplyAdd(Value storage, int64_t reg, Value a, Value factor);
  SmallVector<Value> multiply(ArrayRef<Value> a, ArrayRef<Value> factor,
                              ArrayRef<Value> accumulator);

  scf::ForallOp forall;
  OpBuilder &b;
  Location loc;
  Schedule schedule;
  std::optional<EmitFailure> failure;

  Fragment accumulators, factors;
  SmallVector<int64_t> rowGroups;
  int64_t numRowGroups;

  IRMapping values;
  llvm::DenseMap<Value, Tile> tiles;
  /// Start of the kernel: registers are declared there.
  Operation *declarations = nullptr;
  Value thread, numThreads, lane, warpRow;
  /// Row and column of each register of an accumulator, in the tile.
  SmallVector<Value> registerRow, registerColumn;
  Value sharedMemory;
  int64_t sharedBytes = 0;

  /// The last loop over keys; the first key of the first one, the end of the
  /// last one, and the keys of a tile.
  scf::ForOp lastLoop;
  Value firstKey, endKey, tileKeys;
  /// In the key loops.
  SmallVector<Staged> staged;
  Value currentBuffer, currentKey;
  /// Of the simt schedule: the weights of a tile, [rows, keys], which the peers
  /// of a row read by the number of the key.
  Value sharedWeights;
  /// Queries are read from shared memory for each tile of keys: where output
  /// and scores leave no registers for them.
  bool sharesQueries = false;
  SmallVector<Value> queryFragments;
};

} // namespace mlir::relattn

#endif // RELATTN_LIB_GPU_TILEEMITTER_H
