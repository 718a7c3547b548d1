//===- Passes.h - relattn tiling passes -------------------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From attention to linalg on tiles, and from these to vectors.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TILING_PASSES_H
#define RELATTN_TILING_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir {
namespace amx {
class AMXDialect;
} // namespace amx
namespace arith {
class ArithDialect;
} // namespace arith
namespace affine {
class AffineDialect;
} // namespace affine
namespace bufferization {
class BufferizationDialect;
} // namespace bufferization
namespace func {
class FuncDialect;
} // namespace func
namespace LLVM {
class LLVMDialect;
} // namespace LLVM
namespace memref {
class MemRefDialect;
} // namespace memref
namespace linalg {
class LinalgDialect;
} // namespace linalg
namespace math {
class MathDialect;
} // namespace math
namespace scf {
class SCFDialect;
} // namespace scf
namespace tensor {
class TensorDialect;
} // namespace tensor
namespace vector {
class VectorDialect;
} // namespace vector
} // namespace mlir

namespace mlir::relattn {

class RelAttnDialect;

#define GEN_PASS_DECL
#include "relattn/Tiling/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "relattn/Tiling/Passes.h.inc"

} // namespace mlir::relattn

#endif // RELATTN_TILING_PASSES_H
