//===- FlattenKernel.cpp - Kernels on one-dimensional buffers -------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header. SPIR-V of before 2025 has no bf16, and neither do its
// drivers: arith's expansion of the conversions leaves nothing to do with such
// a number but to move its bits, so that types can be replaced where they are.
//
//===----------------------------------------------------------------------===//

#include "FlattenKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVAttributes.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;
using namespace mlir::relattn;

/// Elements of a constant that a load chooses from, and that a kernel writes
/// into memory of its own.
static constexpr int64_t kMaxChoices = 64, kMaxConstants = 4096;

namespace {

class KernelFlattener {
public:
  KernelFlattener(gpu::GPUFuncOp kernel, gpu::LaunchFuncOp launch,
                  spirv::StorageClass buffers)
      : kernel(kernel), launch(launch), buffers(buffers),
        isNarrow(buffers == spirv::StorageClass::StorageBuffer),
        b(kernel.getContext()) {}

  LogicalResult run();

private:
  LogicalResult expandConstants();
  void expandLoad(memref::LoadOp load, DenseElementsAttr values);
  void storeConstants(memref::GetGlobalOp op, DenseElementsAttr values);
  LogicalResult flattenBuffer(BlockArgument buffer, Value operand);
  void flattenAccess(Operation *op, OperandRange indices, BlockArgument buffer,
                     MemRefType type, Value operand);
  Value getSize(BlockArgument buffer, MemRefType type, Value operand,
                int64_t dim);
  LogicalResult replaceTypes();
  Value loadNarrowed(Value buffer, Value place, Location loc);
  void narrowIntegers();
  void replaceZeroProducts();
  MemRefType getType(MemRefType type, Type element,
                     spirv::StorageClass storage);
  Value hostIndex(int64_t value) {
    OpBuilder host(launch);
    return arith::ConstantIndexOp::create(host, launch.getLoc(), value);
  }

  gpu::GPUFuncOp kernel;
  gpu::LaunchFuncOp launch;
  spirv::StorageClass buffers;
  /// An index has 32 bits.
  bool isNarrow;
  OpBuilder b;
  llvm::DenseMap<std::pair<Value, int64_t>, Value> sizes;
  /// Of the launch.
  SmallVector<Value> pointers, scalars;
};

} // namespace

static bool isWide(Type type) { return type.isIndex() || type.isInteger(64); }

/// An element as it is in memory: bf16 has no type of its own, and neither has
/// an index, which is one of 64 bits there or two of 32.
static Type getStored(Type element, bool isNarrow) {
  MLIRContext *context = element.getContext();
  if (element.isBF16())
    return IntegerType::get(context, 16);
  if (isNarrow && isWide(element))
    return IntegerType::get(context, 32);
  if (element.isIndex())
    return IntegerType::get(context, 64);
  return element;
}

MemRefType KernelFlattener::getType(MemRefType type, Type element,
                                    spirv::StorageClass storage) {
  return MemRefType::get(type.getShape(), element, type.getLayout(),
                         spirv::StorageClassAttr::get(b.getContext(), storage));
}

/// A choice among the constants, bit by bit of the index.
void KernelFlattener::expandLoad(memref::LoadOp load,
                                 DenseElementsAttr values) {
  Location loc = load.getLoc();
  b.setInsertionPoint(load);
  SmallVector<int64_t> strides =
      computeSuffixProduct(values.getType().getShape());
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  Value place = number(0);
  for (auto [index, stride] : llvm::zip(load.getIndices(), strides))
    place = b.createOrFold<arith::AddIOp>(
        loc, place, b.createOrFold<arith::MulIOp>(loc, index, number(stride)));
  SmallVector<Value> choices;
  for (TypedAttr value : values.getValues<TypedAttr>())
    choices.push_back(arith::ConstantOp::create(b, loc, value));
  for (int64_t bit = 1; choices.size() > 1; bit *= 2) {
    Value isSet = arith::CmpIOp::create(
        b, loc, arith::CmpIPredicate::ne,
        arith::AndIOp::create(b, loc, place, number(bit)), number(0));
    SmallVector<Value> rest;
    for (size_t i = 0; i < choices.size(); i += 2)
      rest.push_back(i + 1 < choices.size()
                         ? arith::SelectOp::create(b, loc, isSet,
                                                   choices[i + 1], choices[i])
                         : choices[i]);
    choices = rest;
  }
  load.getResult().replaceAllUsesWith(choices.front());
  load.erase();
}

/// Into memory of the kernel.
void KernelFlattener::storeConstants(memref::GetGlobalOp op,
                                     DenseElementsAttr values) {
  Location loc = op.getLoc();
  b.setInsertionPointToStart(&kernel.getBody().front());
  auto memory = memref::AllocaOp::create(b, loc, op.getType());
  SmallVector<int64_t> strides = computeSuffixProduct(op.getType().getShape());
  for (auto [place, value] : llvm::enumerate(values.getValues<TypedAttr>())) {
    SmallVector<Value> indices;
    for (int64_t index : delinearize(place, strides))
      indices.push_back(arith::ConstantIndexOp::create(b, loc, index));
    memref::StoreOp::create(b, loc, arith::ConstantOp::create(b, loc, value),
                            memory, indices);
  }
  op.getResult().replaceAllUsesWith(memory);
}

/// Constants in memory: SPIR-V's own would have to be addressed by constants
/// alone in some drivers, and memory of the kernel is slow to fill where there
/// is much of it. Few constants are the operands of a choice instead.
LogicalResult KernelFlattener::expandConstants() {
  SmallVector<memref::GetGlobalOp> constants;
  kernel.walk([&](memref::GetGlobalOp op) { constants.push_back(op); });
  for (memref::GetGlobalOp op : constants) {
    auto global = SymbolTable::lookupNearestSymbolFrom<memref::GlobalOp>(
        kernel, op.getNameAttr());
    auto values = global ? dyn_cast_if_present<DenseElementsAttr>(
                               global.getConstantInitValue())
                         : DenseElementsAttr();
    if (!values || values.empty())
      return op.emitError(
          "a constant of a kernel needs elements that are known");
    if (values.getNumElements() > kMaxConstants)
      return op.emitError("a kernel takes constants of up to ")
             << kMaxConstants << " elements: larger ones are for its arguments";
    bool isLoaded = llvm::all_of(op->getUsers(), llvm::IsaPred<memref::LoadOp>);
    if (isLoaded && values.getNumElements() <= kMaxChoices)
      for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
        expandLoad(cast<memref::LoadOp>(user), values);
    else
      storeConstants(op, values);
    op.erase();
  }
  return success();
}

/// The size of a buffer in the kernel.
Value KernelFlattener::getSize(BlockArgument buffer, MemRefType type,
                               Value operand, int64_t dim) {
  OpBuilder::InsertionGuard guard(b);
  Value &size = sizes[{buffer, dim}];
  if (size)
    return size;
  Location loc = buffer.getLoc();
  if (!type.isDynamicDim(dim)) {
    b.setInsertionPointToStart(&kernel.getBody().front());
    return size = arith::ConstantIndexOp::create(b, loc, type.getDimSize(dim));
  }
  OpBuilder host(launch);
  scalars.push_back(memref::DimOp::create(host, launch.getLoc(), operand, dim));
  return size = kernel.getBody().addArgument(b.getIndexType(), loc);
}

/// A load or store at ((i0 * size1) + i1) * size2 + ...
void KernelFlattener::flattenAccess(Operation *op, OperandRange indices,
                                    BlockArgument buffer, MemRefType type,
                                    Value operand) {
  Location loc = op->getLoc();
  SmallVector<Value> places(indices);
  b.setInsertionPoint(op);
  Value place;
  for (auto [dim, index] : llvm::enumerate(places)) {
    if (place)
      place = b.createOrFold<arith::MulIOp>(
          loc, place, getSize(buffer, type, operand, dim));
    place = place ? b.createOrFold<arith::AddIOp>(loc, place, index) : index;
  }
  if (!place)
    place = arith::ConstantIndexOp::create(b, loc, 0);
  Type element = type.getElementType();
  if (auto store = dyn_cast<memref::StoreOp>(op)) {
    memref::StoreOp::create(b, loc, store.getValue(), buffer,
                            ValueRange{place});
  } else {
    auto load = cast<memref::LoadOp>(op);
    Value value;
    // The buffer has its new type by the end of this.
    if (isWide(element) && isNarrow)
      value = loadNarrowed(buffer, place, loc);
    else
      value = memref::LoadOp::create(
          b, loc, element.isIndex() ? b.getI64Type() : element, buffer,
          ValueRange{place});
    if (value.getType() != element)
      value = arith::IndexCastOp::create(b, loc, element, value);
    load.getResult().replaceAllUsesWith(value);
  }
  op->erase();
}

/// An integer of 64 bits, or the nearest one of 32, as an index: drivers need
/// not have more, and Mesa's software device compares them wrongly.
Value KernelFlattener::loadNarrowed(Value buffer, Value place, Location loc) {
  Type i32 = b.getI32Type();
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(b, loc, i32, value);
  };
  Value two = arith::ConstantIndexOp::create(b, loc, 2),
        one = arith::ConstantIndexOp::create(b, loc, 1);
  Value first = arith::MulIOp::create(b, loc, place, two);
  Value second = arith::AddIOp::create(b, loc, first, one);
  Value low = memref::LoadOp::create(b, loc, i32, buffer, ValueRange{first});
  Value high = memref::LoadOp::create(b, loc, i32, buffer, ValueRange{second});
  auto compare = [&](arith::CmpIPredicate predicate, Value lhs, Value rhs) {
    return arith::CmpIOp::create(b, loc, predicate, lhs, rhs);
  };
  Value sign = arith::ShRSIOp::create(b, loc, low, number(31));
  Value limit = arith::SelectOp::create(
      b, loc, compare(arith::CmpIPredicate::slt, high, number(0)),
      number(std::numeric_limits<int32_t>::min()),
      number(std::numeric_limits<int32_t>::max()));
  Value value = arith::SelectOp::create(
      b, loc, compare(arith::CmpIPredicate::eq, high, sign), low, limit);
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), value);
}

/// Integers of 64 bits that come from indices get by with as many bits as
/// these. (Those that are the bits of a f64 do not.)
void KernelFlattener::narrowIntegers() {
  Type i32 = b.getI32Type();
  auto saturate = [](Attribute value) {
    return cast<IntegerAttr>(value).getValue().truncSSat(32).getSExtValue();
  };
  bool hasBits = false;
  kernel.walk([&](Operation *op) {
    if (isa<arith::BitcastOp>(op))
      hasBits |= op->getResult(0).getType().isInteger(64) ||
                 op->getOperand(0).getType().isInteger(64);
    if (auto constant = dyn_cast<arith::ConstantOp>(op);
        constant && constant.getType().isIndex())
      constant.setValueAttr(b.getIndexAttr(saturate(constant.getValue())));
  });
  if (hasBits)
    return;
  kernel.walk([&](Operation *op) {
    for (Value value : op->getResults()) {
      if (auto memory = dyn_cast<MemRefType>(value.getType());
          memory && memory.getElementType().isInteger(64))
        value.setType(memory.clone(i32));
      if (!value.getType().isInteger(64))
        continue;
      value.setType(i32);
      if (auto constant = dyn_cast<arith::ConstantOp>(op))
        constant.setValueAttr(
            b.getI32IntegerAttr(saturate(constant.getValue())));
    }
  });
}

LogicalResult KernelFlattener::flattenBuffer(BlockArgument buffer,
                                             Value operand) {
  auto type = cast<MemRefType>(buffer.getType());
  Location loc = launch.getLoc();
  if (!type.getLayout().isIdentity())
    return launch.emitError("a buffer of a SPIR-V kernel has to be contiguous");
  SmallVector<Operation *> users(buffer.getUsers());
  bool isWritten = false;
  for (Operation *user : users) {
    if (auto dim = dyn_cast<memref::DimOp>(user);
        dim && dim.getConstantIndex()) {
      dim.getResult().replaceAllUsesWith(
          getSize(buffer, type, operand, *dim.getConstantIndex()));
      dim.erase();
    } else if (auto load = dyn_cast<memref::LoadOp>(user)) {
      flattenAccess(load, load.getIndices(), buffer, type, operand);
    } else if (auto store = dyn_cast<memref::StoreOp>(user);
               store && store.getMemRef() == buffer) {
      if (isWide(type.getElementType()))
        return store.emitError("a SPIR-V kernel cannot store integers of 64 "
                               "bits");
      isWritten = true;
      flattenAccess(store, store.getIndices(), buffer, type, operand);
    } else {
      return user->emitError("a SPIR-V kernel can only load and store");
    }
  }
  OpBuilder host(launch);
  Type element = type.getElementType();
  Value bytes = hostIndex(
      DataLayout::closest(launch).getTypeSize(element).getFixedValue());
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    bytes = host.createOrFold<arith::MulIOp>(
        loc, bytes,
        host.createOrFold<memref::DimOp>(loc, operand, hostIndex(dim)));
  pointers.push_back(
      memref::ExtractAlignedPointerAsIndexOp::create(host, loc, operand));
  pointers.push_back(bytes);
  pointers.push_back(hostIndex(isWritten));
  buffer.setType(getType(MemRefType::get({ShapedType::kDynamic}, element),
                         getStored(element, isNarrow), buffers));
  return success();
}

/// Drivers take x * 0 for 0, which it is not for NaN and infinities: a scale of
/// 0. They do not look through a comparison.
void KernelFlattener::replaceZeroProducts() {
  kernel.walk([&](arith::MulFOp op) {
    Value x = op.getLhs(), y = op.getRhs();
    if (matchPattern(x, m_AnyZeroFloat()))
      std::swap(x, y);
    if (!matchPattern(y, m_AnyZeroFloat()))
      return;
    b.setInsertionPoint(op);
    Location loc = op.getLoc();
    Type type = op.getType();
    auto number = [&](double value) -> Value {
      return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value));
    };
    double infinity = std::numeric_limits<double>::infinity();
    Value isFinite = arith::AndIOp::create(
        b, loc,
        arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x,
                              number(infinity)),
        arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x,
                              number(-infinity)));
    Value product = arith::SelectOp::create(
        b, loc, isFinite, y, number(std::numeric_limits<double>::quiet_NaN()));
    op.getResult().replaceAllUsesWith(product);
    op.erase();
  });
}

/// Types and storage classes, in place.
LogicalResult KernelFlattener::replaceTypes() {
  RewritePatternSet patterns(b.getContext());
  arith::populateExpandBFloat16Patterns(patterns);
  walkAndApplyPatterns(kernel, std::move(patterns));

  WalkResult result = kernel.walk([&](Operation *op) {
    if (isa<memref::AllocOp, memref::AllocaOp>(op)) {
      Value memory = op->getResult(0);
      auto storage = isa<memref::AllocOp>(op) ? spirv::StorageClass::Workgroup
                                              : spirv::StorageClass::Function;
      auto type = cast<MemRefType>(memory.getType());
      // An index in the kernel's own memory is one as wide as the kernel's.
      Type element = type.getElementType();
      memory.setType(
          getType(type, element.isBF16() ? b.getI16Type() : element, storage));
      return WalkResult::advance();
    }
    auto isBF16 = [](Type type) { return type.isBF16(); };
    if (llvm::none_of(op->getResultTypes(), isBF16) &&
        llvm::none_of(op->getOperandTypes(), isBF16))
      return WalkResult::advance();
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      APInt bits =
          cast<FloatAttr>(constant.getValue()).getValue().bitcastToAPInt();
      constant.setValueAttr(b.getIntegerAttr(b.getIntegerType(16), bits));
    } else if (!isa<memref::LoadOp, memref::StoreOp, arith::SelectOp,
                    arith::BitcastOp, scf::IfOp, scf::YieldOp>(op)) {
      op->emitError("SPIR-V has no bf16 to compute with");
      return WalkResult::interrupt();
    }
    for (Value value : op->getResults())
      if (value.getType().isBF16())
        value.setType(b.getIntegerType(16));
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  kernel.walk([](arith::BitcastOp op) {
    if (op.getIn().getType() != op.getType())
      return;
    op.getResult().replaceAllUsesWith(op.getIn());
    op.erase();
  });
  return success();
}

LogicalResult KernelFlattener::run() {
  if (failed(expandConstants()))
    return failure();
  Block &body = kernel.getBody().front();
  unsigned numArguments = body.getNumArguments();
  SmallVector<BlockArgument> arguments(body.getArguments());
  SmallVector<Value> operands(launch.getKernelOperands());
  assert(arguments.size() == operands.size() && "outlining makes no other");
  for (auto [argument, operand] : llvm::zip(arguments, operands)) {
    if (isa<MemRefType>(argument.getType())) {
      if (failed(flattenBuffer(argument, operand)))
        return failure();
      continue;
    }
    if (!argument.getType().isIndex())
      return launch.emitError("an argument of a SPIR-V kernel has to be a "
                              "buffer or an index, not ")
             << argument.getType();
    argument.replaceAllUsesWith(
        body.addArgument(b.getIndexType(), argument.getLoc()));
    scalars.push_back(operand);
  }
  replaceZeroProducts();
  if (isNarrow)
    narrowIntegers();
  if (failed(replaceTypes()))
    return failure();
  body.eraseArguments([&](BlockArgument argument) {
    return argument.getArgNumber() < numArguments &&
           !isa<MemRefType>(argument.getType());
  });
  kernel.setFunctionType(
      b.getFunctionType(TypeRange(body.getArguments()), TypeRange()));
  kernel.removeArgAttrsAttr();

  SmallVector<Value> launched = {hostIndex(pointers.size() / 3)};
  llvm::append_range(launched, pointers);
  llvm::append_range(launched, scalars);
  launch.getKernelOperandsMutable().assign(launched);
  return success();
}

LogicalResult relattn::flattenKernel(gpu::GPUFuncOp kernel,
                                     gpu::LaunchFuncOp launch,
                                     spirv::StorageClass buffers) {
  return KernelFlattener(kernel, launch, buffers).run();
}
