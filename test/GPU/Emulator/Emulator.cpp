//===- Emulator.cpp - The run-time interface of GPU programs --------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions that MLIR's host code calls (mgpu*), for kernels that are NVPTX
// bitcode (relattn-to-gpu with format=llvm). A module is rewritten for the
// host: each intrinsic becomes a call, shared memory a buffer of the workgroup;
// then LLVM compiles it as any other.
//
// Words of RELATTN_EMULATOR that begin with `fault-` break a program on
// purpose, to show what the emulator sees: `fault-barrier=N` leaves the N-th
// barrier of a module out, `fault-diverge=N` has only every second thread reach
// it, `fault-wait=N` leaves the N-th wait out, `fault-shared` takes 32 bytes of
// shared memory away. `count` prints how many barriers and waits there are.
//
//===----------------------------------------------------------------------===//

#include "../../../lib/Runtime/HostMemory.h"
#include "Intrinsics.h"
#include "Workgroup.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/ReplaceConstant.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"

using namespace llvm;

static void *check(Error error) {
  if (error)
    emulator::fail("%s", toString(std::move(error)).c_str());
  return nullptr;
}

template <typename T> static T check(Expected<T> value) {
  if (!value)
    emulator::fail("%s", toString(value.takeError()).c_str());
  return std::move(*value);
}

namespace {

/// A fault of RELATTN_EMULATOR: its number, or 0.
struct Faults {
  Faults() {
    StringRef words =
        getenv("RELATTN_EMULATOR") ? getenv("RELATTN_EMULATOR") : "";
    SmallVector<StringRef> list;
    words.split(list, ',');
    for (StringRef word : list) {
      word = word.trim();
      if (word.consume_front("fault-barrier="))
        word.getAsInteger(10, barrier);
      else if (word.consume_front("fault-diverge="))
        word.getAsInteger(10, diverge);
      else if (word.consume_front("fault-wait="))
        word.getAsInteger(10, wait);
      shared |= word == "fault-shared";
      vote |= word == "fault-vote";
      counts |= word == "count";
    }
  }
  unsigned barrier = 0, diverge = 0, wait = 0;
  bool shared = false, vote = false, counts = false;
};

const Faults &getFaults() {
  static Faults faults;
  return faults;
}

class KernelModule {
public:
  KernelModule(StringRef bitcode) {
    static bool isInitialized = [] {
      InitializeNativeTarget();
      InitializeNativeTargetAsmPrinter();
      return true;
    }();
    (void)isInitialized;
    auto context = std::make_unique<LLVMContext>();
    std::unique_ptr<Module> module =
        check(parseBitcodeFile(MemoryBufferRef(bitcode, "kernels"), *context));
    jit = check(orc::LLJITBuilder().create());
    rewrite(*module);
    check(jit->addIRModule(
        orc::ThreadSafeModule(std::move(module), std::move(context))));
  }

  using Kernel = void (*)(void **arguments);
  Kernel find(StringRef name) {
    return check(jit->lookup((name + ".call").str())).toPtr<Kernel>();
  }

private:
  void define(StringRef name, void *address) {
    check(jit->getMainJITDylib().define(orc::absoluteSymbols(
        {{jit->mangleAndIntern(name),
          {orc::ExecutorAddr::fromPtr(address), JITSymbolFlags::Exported}}})));
  }
  void rewrite(Module &module);
  void rewriteCall(CallInst &call, const emulator::Intrinsic &intrinsic);
  void rewriteShared(GlobalVariable &global);
  void addCaller(Function &kernel);

  std::unique_ptr<orc::LLJIT> jit;
  StringSet<> defined;
  unsigned numBarriers = 0, numWaits = 0;
};

} // namespace

/// By a function that gets the addresses of result and arguments.
void KernelModule::rewriteCall(CallInst &call,
                               const emulator::Intrinsic &intrinsic) {
  StringRef name = intrinsic.name;
  const Faults &faults = getFaults();
  bool isBarrier = name.contains("barrier");
  if ((isBarrier && ++numBarriers == faults.barrier) ||
      (name.contains("wait.group") && ++numWaits == faults.wait)) {
    call.eraseFromParent();
    return;
  }
  auto *callee = intrinsic.call;
  std::string symbol = ("emulator." + name).str();
  if (isBarrier && numBarriers == faults.diverge) {
    symbol += ".diverge";
    callee = [](void *, void **) {
      if (emulator::getThread().x % 2)
        emulator::barrier();
    };
  }
  if (faults.vote && name.contains("vote"))
    callee = [](void *result, void **) {
      *static_cast<uint8_t *>(result) = false;
    };
  Module &module = *call.getModule();
  Function &function = *call.getFunction();
  IRBuilder<> entry(&function.getEntryBlock(),
                    function.getEntryBlock().begin());
  IRBuilder<> b(&call);
  Type *pointer = b.getPtrTy();
  unsigned count = call.arg_size();
  Value *arguments = entry.CreateAlloca(ArrayType::get(pointer, count));
  for (unsigned i = 0; i < count; ++i) {
    Value *argument = call.getArgOperand(i);
    if (argument->getType()->isPointerTy())
      argument = b.CreateAddrSpaceCast(argument, pointer);
    Value *slot = entry.CreateAlloca(argument->getType());
    b.CreateStore(argument, slot);
    b.CreateStore(slot, b.CreateConstInBoundsGEP2_32(
                            ArrayType::get(pointer, count), arguments, 0, i));
  }
  Type *type = call.getType();
  Value *result = type->isVoidTy()
                      ? ConstantPointerNull::get(b.getPtrTy())
                      : static_cast<Value *>(entry.CreateAlloca(type));
  b.CreateCall(
      module.getOrInsertFunction(symbol, b.getVoidTy(), pointer, pointer),
      {result, arguments});
  if (!type->isVoidTy())
    call.replaceAllUsesWith(b.CreateLoad(type, result));
  call.eraseFromParent();
  if (defined.insert(symbol).second)
    define(symbol, reinterpret_cast<void *>(callee));
}

/// Dynamic shared memory: the workgroup's.
void KernelModule::rewriteShared(GlobalVariable &global) {
  Module &module = *global.getParent();
  constexpr StringLiteral kSymbol = "emulator.shared";
  DenseMap<Function *, Value *> bases;
  // Constant expressions over it become instructions.
  convertUsersOfConstantsToInstructions({&global});
  for (Use &use : make_early_inc_range(global.uses())) {
    auto *user = cast<Instruction>(use.getUser());
    Value *&base = bases[user->getFunction()];
    if (!base) {
      BasicBlock &block = user->getFunction()->getEntryBlock();
      IRBuilder<> b(&block, block.begin());
      Value *address =
          b.CreateCall(module.getOrInsertFunction(kSymbol, b.getPtrTy()), {});
      base = b.CreateAddrSpaceCast(address, global.getType());
    }
    use.set(base);
  }
  if (defined.insert(kSymbol).second)
    define(kSymbol, reinterpret_cast<void *>(&emulator::getSharedMemory));
}

/// void kernel.call(void **arguments)
void KernelModule::addCaller(Function &kernel) {
  LLVMContext &context = kernel.getContext();
  auto *type = FunctionType::get(Type::getVoidTy(context),
                                 PointerType::get(context, 0), false);
  Function *caller =
      Function::Create(type, GlobalValue::ExternalLinkage,
                       kernel.getName() + ".call", kernel.getParent());
  IRBuilder<> b(BasicBlock::Create(context, "", caller));
  SmallVector<Value *> arguments;
  for (Argument &argument : kernel.args()) {
    Value *address =
        b.CreateLoad(b.getPtrTy(),
                     b.CreateConstInBoundsGEP1_32(
                         b.getPtrTy(), caller->getArg(0), argument.getArgNo()));
    arguments.push_back(b.CreateLoad(argument.getType(), address));
  }
  b.CreateCall(&kernel, arguments);
  b.CreateRetVoid();
}

void KernelModule::rewrite(Module &module) {
  SmallVector<Function *> kernels;
  for (Function &function : module) {
    // A call may go on in another thread: nothing is known of what it touches.
    function.removeFnAttr("target-cpu");
    function.removeFnAttr("target-features");
    function.removeFnAttr(Attribute::Memory);
    for (Argument &argument : function.args())
      for (Attribute::AttrKind kind :
           {Attribute::ReadNone, Attribute::ReadOnly, Attribute::WriteOnly,
            Attribute::NoAlias})
        argument.removeAttr(kind);
    if (function.getCallingConv() == CallingConv::PTX_Kernel) {
      function.setCallingConv(CallingConv::C);
      kernels.push_back(&function);
    }
  }
  for (Function &function : module)
    for (Instruction &instruction :
         make_early_inc_range(instructions(function))) {
      auto *call = dyn_cast<CallInst>(&instruction);
      if (!call)
        continue;
      if (call->isInlineAsm())
        emulator::fail("inline assembly is not emulated");
      Function *callee = call->getCalledFunction();
      if (!callee || !callee->getName().starts_with("llvm.nvvm."))
        continue;
      std::string name = callee->getName().str();
      const emulator::Intrinsic *intrinsic = emulator::findIntrinsic(name);
      if (!intrinsic)
        emulator::fail("%s is not emulated", name.c_str());
      rewriteCall(*call, *intrinsic);
    }
  if (getFaults().counts)
    errs() << "nvptx emulator: " << numBarriers << " barriers, " << numWaits
           << " waits\n";
  for (GlobalVariable &global : make_early_inc_range(module.globals()))
    if (global.getAddressSpace() == 3) {
      rewriteShared(global);
      global.eraseFromParent();
    }
  for (Function &function : make_early_inc_range(module))
    if (function.isDeclaration() && function.use_empty())
      function.eraseFromParent();
  for (Function *kernel : kernels)
    addCaller(*kernel);
  module.setTargetTriple(jit->getTargetTriple());
  module.setDataLayout(jit->getDataLayout());
  std::string message;
  raw_string_ostream stream(message);
  if (verifyModule(module, &stream))
    emulator::fail("%s", message.c_str());
}

//===----------------------------------------------------------------------===//
// What MLIR's host code calls
//===----------------------------------------------------------------------===//

extern "C" {

void *mgpuModuleLoad(void *data, size_t size) {
  return new KernelModule(StringRef(static_cast<char *>(data), size));
}
void mgpuModuleUnload(void *module) {
  delete static_cast<KernelModule *>(module);
}
void *mgpuModuleGetFunction(void *module, const char *name) {
  return reinterpret_cast<void *>(
      static_cast<KernelModule *>(module)->find(name));
}

void mgpuLaunchKernel(void *function, intptr_t gridX, intptr_t gridY,
                      intptr_t gridZ, intptr_t blockX, intptr_t blockY,
                      intptr_t blockZ, int32_t sharedBytes, void * /*stream*/,
                      void **arguments, void ** /*extra*/, size_t /*count*/) {
  auto kernel = reinterpret_cast<KernelModule::Kernel>(function);
  int32_t bytes = sharedBytes - (getFaults().shared && sharedBytes ? 32 : 0);
  emulator::launch({uint32_t(gridX), uint32_t(gridY), uint32_t(gridZ)},
                   {uint32_t(blockX), uint32_t(blockY), uint32_t(blockZ)},
                   bytes, [=] { kernel(arguments); });
}

} // extern "C"
