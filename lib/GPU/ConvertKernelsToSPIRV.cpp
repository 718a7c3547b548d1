//===- ConvertKernelsToSPIRV.cpp - Kernels for OpenCL and Vulkan ----------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Upstream's patterns, on kernels that FlattenKernel.cpp has made of what they
// take. Upstream's pass lacks those of the math dialect, and puts a shader's
// module where gpu-module-to-binary does not look.
//
//===----------------------------------------------------------------------===//

#include "FlattenKernel.h"
#include "mlir/Conversion/ArithToSPIRV/ArithToSPIRV.h"
#include "mlir/Conversion/GPUToSPIRV/GPUToSPIRV.h"
#include "mlir/Conversion/MathToSPIRV/MathToSPIRV.h"
#include "mlir/Conversion/MemRefToSPIRV/MemRefToSPIRV.h"
#include "mlir/Conversion/SCFToSPIRV/SCFToSPIRV.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Dialect/SPIRV/Transforms/SPIRVConversion.h"
#include "relattn/GPU/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_CONVERTKERNELSTOSPIRV
#include "relattn/GPU/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

namespace {
struct ConvertKernelsToSPIRV
    : public relattn::impl::ConvertKernelsToSPIRVBase<ConvertKernelsToSPIRV> {
  using ConvertKernelsToSPIRVBase::ConvertKernelsToSPIRVBase;

  void runOnOperation() override;

private:
  bool isVulkan() const { return chip == "vulkan"; }
  spirv::TargetEnvAttr getEnvironment();
  LogicalResult prepare(gpu::LaunchFuncOp launch);
  LogicalResult convert(gpu::GPUModuleOp module);
  LogicalResult createPushConstants(spirv::ModuleOp module);
  void nameSharedMemory(spirv::ModuleOp module);
};
} // namespace

/// The least that kernels may need; spirv-update-vce keeps what they do.
spirv::TargetEnvAttr ConvertKernelsToSPIRV::getEnvironment() {
  using namespace spirv;
  MLIRContext *context = &getContext();
  SmallVector<Capability> capabilities = {Capability::Int64, Capability::Int16,
                                          Capability::Int8, Capability::Float64,
                                          Capability::Float16};
  SmallVector<Extension> extensions;
  if (isVulkan()) {
    capabilities.append({Capability::Shader,
                         Capability::StorageBuffer16BitAccess,
                         Capability::StorageBuffer8BitAccess,
                         Capability::SignedZeroInfNanPreserve});
    extensions.append({Extension::SPV_KHR_storage_buffer_storage_class,
                       Extension::SPV_KHR_16bit_storage,
                       Extension::SPV_KHR_8bit_storage,
                       Extension::SPV_KHR_float_controls});
  } else {
    capabilities.append(
        {Capability::Kernel, Capability::Addresses, Capability::Float16Buffer});
  }
  auto triple = VerCapExtAttr::get(isVulkan() ? Version::V_1_3 : Version::V_1_0,
                                   capabilities, extensions, context);
  return TargetEnvAttr::get(triple, getDefaultResourceLimits(context),
                            isVulkan() ? ClientAPI::Vulkan : ClientAPI::OpenCL,
                            Vendor::Unknown, DeviceType::Unknown,
                            TargetEnvAttr::kUnknownDeviceID);
}

/// A launch and its kernel. Infinities are numbers there: scores of hidden
/// keys.
LogicalResult ConvertKernelsToSPIRV::prepare(gpu::LaunchFuncOp launch) {
  auto kernel = SymbolTable::lookupNearestSymbolFrom<gpu::GPUFuncOp>(
      launch, launch.getKernel());
  if (!kernel)
    return launch.emitError("expected a kernel that is a gpu.func");
  if (kernel->hasAttr(spirv::getEntryPointABIAttrName()))
    return launch.emitError("a SPIR-V kernel has one launch");
  gpu::KernelDim3 block = launch.getBlockSizeOperandValues();
  SmallVector<int32_t> sizes;
  for (Value size : {block.x, block.y, block.z}) {
    std::optional<int64_t> constant = getConstantIntValue(size);
    if (!constant)
      return launch.emitError(
          "the size of a SPIR-V kernel's workgroup has to be constant");
    sizes.push_back(*constant);
  }
  bool hasF64 = false;
  kernel.walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      hasF64 |= type.isF64();
  });
  std::optional<int> width;
  if (isVulkan())
    width = hasF64 ? 64 : 32;
  kernel->setAttr(spirv::getEntryPointABIAttrName(),
                  spirv::getEntryPointABIAttr(&getContext(), sizes,
                                              /*subgroupSize=*/std::nullopt,
                                              width));
  return flattenKernel(kernel, launch,
                       isVulkan() ? spirv::StorageClass::StorageBuffer
                                  : spirv::StorageClass::CrossWorkgroup);
}

/// Indices of a shader become its push constants: one block, as long as the
/// kernel with the most of them needs.
LogicalResult
ConvertKernelsToSPIRV::createPushConstants(spirv::ModuleOp module) {
  OpBuilder b(&getContext());
  Type integer = b.getI32Type();
  unsigned count = 0;
  for (auto kernel : module.getOps<spirv::FuncOp>())
    count = std::max<unsigned>(count,
                               llvm::count(kernel.getArgumentTypes(), integer));
  // 128 bytes are what every Vulkan driver takes.
  constexpr unsigned kMaxPushConstants = 32;
  if (count > kMaxPushConstants)
    return module.emitError("a Vulkan kernel of ")
           << count << " sizes and other indices: it can be told "
           << kMaxPushConstants;
  for (auto kernel : module.getOps<spirv::FuncOp>()) {
    Block &body = kernel.getBody().front();
    b.setInsertionPointToStart(&body);
    llvm::BitVector isIndex(kernel.getNumArguments());
    for (BlockArgument argument : kernel.getArguments()) {
      if (argument.getType() != integer)
        continue;
      unsigned place = isIndex.count();
      isIndex.set(argument.getArgNumber());
      // An op inside of the kernel: its module is where the variable goes.
      argument.replaceAllUsesWith(spirv::getPushConstantValue(
          body.getTerminator(), count, place, integer, b));
    }
    (void)kernel.eraseArguments(isIndex);
  }
  return success();
}

/// By the kernel that it belongs to, as Clang does: Oclgrind goes by that.
void ConvertKernelsToSPIRV::nameSharedMemory(spirv::ModuleOp module) {
  SymbolTable symbols(module);
  for (auto kernel : module.getOps<spirv::FuncOp>()) {
    unsigned count = 0;
    kernel.walk([&](spirv::AddressOfOp op) {
      auto type = cast<spirv::PointerType>(op.getPointer().getType());
      auto variable = symbols.lookup<spirv::GlobalVariableOp>(op.getVariable());
      if (type.getStorageClass() != spirv::StorageClass::Workgroup ||
          variable.getSymName().starts_with(kernel.getName()))
        return;
      (void)symbols.rename(
          variable, (kernel.getName() + ".shared" + Twine(count++)).str());
    });
  }
}

LogicalResult ConvertKernelsToSPIRV::convert(gpu::GPUModuleOp module) {
  MLIRContext *context = &getContext();
  spirv::TargetEnvAttr environment = getEnvironment();
  module->setAttr(spirv::getTargetEnvAttrName(), environment);
  for (auto global :
       llvm::make_early_inc_range(module.getOps<memref::GlobalOp>()))
    global.erase(); // kernels have the constants now
  // The kernels again, inside of the module, where a spirv.module replaces
  // them.
  OpBuilder b(context);
  b.setInsertionPointToStart(module.getBody());
  auto kernels = cast<gpu::GPUModuleOp>(b.clone(*module));

  std::unique_ptr<SPIRVConversionTarget> target =
      SPIRVConversionTarget::get(environment);
  SPIRVConversionOptions options;
  options.use64bitIndex = !isVulkan();
  SPIRVTypeConverter types(environment, options);
  ScfToSPIRVContext loops;
  RewritePatternSet patterns(context);
  populateGPUToSPIRVPatterns(types, patterns);
  populateSCFToSPIRVPatterns(types, loops, patterns);
  arith::populateArithToSPIRVPatterns(types, patterns);
  populateMathToSPIRVPatterns(types, patterns);
  populateMemRefToSPIRVPatterns(types, patterns);
  if (failed(applyFullConversion(kernels, *target, std::move(patterns))))
    return failure();
  for (auto converted : module.getOps<spirv::ModuleOp>()) {
    nameSharedMemory(converted);
    if (isVulkan() && failed(createPushConstants(converted)))
      return failure();
  }

  // What launches refer to.
  for (auto kernel :
       llvm::make_early_inc_range(module.getOps<gpu::GPUFuncOp>())) {
    b.setInsertionPoint(kernel);
    auto stub = func::FuncOp::create(b, kernel.getLoc(), kernel.getName(),
                                     b.getFunctionType({}, {}));
    stub->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
    stub.setPrivate();
    kernel.erase();
  }
  module.setTargetsAttr(b.getArrayAttr(Attribute(environment)));
  return success();
}

void ConvertKernelsToSPIRV::runOnOperation() {
  if (chip != "opencl" && chip != "vulkan") {
    getOperation().emitError("unknown chip '")
        << chip << "': expected opencl or vulkan";
    return signalPassFailure();
  }
  WalkResult result = getOperation().walk([&](gpu::LaunchFuncOp launch) {
    return succeeded(prepare(launch)) ? WalkResult::advance()
                                      : WalkResult::interrupt();
  });
  if (result.wasInterrupted())
    return signalPassFailure();
  for (auto module : getOperation().getOps<gpu::GPUModuleOp>())
    if (failed(convert(module)))
      return signalPassFailure();
}
