//===- relattn-compile.cpp - Ahead-of-time compiler -----------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From MLIR to an object file in one process: the passes of the command line
// (relattn-to-cpu if there are none), the translation to LLVM IR, LLVM's
// optimiser and code generator. With a GPU as target, to the kernels' code
// alone.
//
//===----------------------------------------------------------------------===//

#include "../Input.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "relattn/InitAll.h"
#include "relattn/Pipelines/Pipelines.h"
#include "relattn/Target/KernelHeader.h"
#include "relattn/Tiling/CPUTarget.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;
namespace cl = llvm::cl;

namespace {

enum class Format { Object, Assembly, LLVMIR };

struct Options {
  cl::OptionCategory category{"Compilation", "Options of relattn-compile"};
  cl::opt<std::string> input{cl::Positional, cl::desc("<input file>"),
                             cl::init("-"), cl::cat(category)};
  cl::opt<std::string> output{"o",
                              cl::desc("Output file (default: standard "
                                       "output)"),
                              cl::value_desc("file"), cl::init("-"),
                              cl::cat(category)};
  cl::opt<Format> format{
      "emit", cl::desc("What to write (default: object)"),
      cl::init(Format::Object), cl::cat(category),
      cl::values(
          clEnumValN(Format::Object, "object", "an object file"),
          clEnumValN(Format::Assembly, "assembly", "assembly"),
          clEnumValN(Format::LLVMIR, "llvm-ir", "optimised LLVM IR as text"))};
  cl::opt<unsigned> level{
      "O", cl::Prefix,
      cl::desc("LLVM's optimisation level, 0 to 3 (default: 1, part of LLVM's "
               "O1 and the loop vectoriser: tiles are vectors already, and 2 "
               "takes twice as long for code that is as fast)"),
      cl::init(1), cl::cat(category)};
  cl::opt<relattn::GPUTarget> target{
      "target",
      cl::desc("A GPU's kernels instead, by relattn-to-gpu, and a C header "
               "that launches them"),
      cl::cat(category),
      cl::values(clEnumValN(relattn::GPUTarget::NVVM, "nvvm", "NVIDIA's"),
                 clEnumValN(relattn::GPUTarget::ROCDL, "rocdl", "AMD's"),
                 clEnumValN(relattn::GPUTarget::SPIRV, "spirv",
                            "any with OpenCL or Vulkan"))};
  cl::opt<std::string> chip{"chip",
                            cl::desc("GPU to compile for (default: sm_80, "
                                     "gfx90a, opencl)"),
                            cl::init(""), cl::cat(category)};
  cl::opt<relattn::GPUFormat> kernelFormat{
      "format", cl::desc("Of the kernels (default: isa)"),
      cl::init(relattn::GPUFormat::ISA), cl::cat(category),
      cl::values(clEnumValN(relattn::GPUFormat::ISA, "isa",
                            "assembly; a SPIR-V module"),
                 clEnumValN(relattn::GPUFormat::Binary, "binary",
                            "machine code; a SPIR-V module"),
                 clEnumValN(relattn::GPUFormat::LLVM, "llvm",
                            "optimised LLVM bitcode"),
                 clEnumValN(relattn::GPUFormat::Offload, "offload",
                            "LLVM bitcode as translated"))};
  cl::opt<std::string> header{
      "header",
      cl::desc("The C header of a GPU's kernels (default: the output file's "
               "name with .h; none for standard output)"),
      cl::value_desc("file"), cl::init(""), cl::cat(category)};
  bool targetsGPU() const { return target.getNumOccurrences() > 0; }
  cl::opt<std::string> cpu{
      "mcpu",
      cl::desc(
          "CPU, as LLVM names it, of functions that have none of their own "
          "(default: the host's)"),
      cl::init(""), cl::cat(category)};
  cl::opt<bool> verifyEach{
      "verify-each",
      cl::desc("Verify after each pass instead of once after the last (always "
               "for a GPU): a fifth more time"),
      cl::init(false), cl::cat(category)};
  PassPipelineCLParser passes{"", "Passes to run (default: relattn-to-cpu)"};
};

} // namespace

static LogicalResult fail(const Twine &message) {
  llvm::errs() << "relattn-compile: error: " << message << "\n";
  return failure();
}

/// Whether kernels become binaries, which nothing verifies any more.
static bool makesBinaries(PassManager &pm) {
  return llvm::any_of(pm.getPasses(), [](Pass &pass) {
    return pass.getArgument() == "gpu-module-to-binary";
  });
}

static LogicalResult lower(ModuleOp module, const Options &options) {
  PassManager pm(module->getName(), PassManager::Nesting::Implicit);
  if (failed(applyPassManagerCLOptions(pm)))
    return failure();
  if (options.targetsGPU()) {
    if (options.passes.hasAnyOccurrences())
      return fail("--target has passes of its own");
    relattn::RelAttnToGPUOptions pipeline;
    pipeline.target = relattn::GPUTarget(options.target);
    pipeline.chip = std::string(options.chip);
    pipeline.format = relattn::GPUFormat(options.kernelFormat);
    pipeline.host = relattn::GPUHost::GPU;
    relattn::buildRelAttnToGPUPipeline(pm, pipeline);
  } else if (options.passes.hasAnyOccurrences()) {
    auto report = [](const Twine &message) { return fail(message); };
    if (failed(options.passes.addToPipeline(pm, report)))
      return failure();
  } else {
    relattn::buildRelAttnToCPUPipeline(pm, relattn::RelAttnToCPUOptions());
  }
  bool verifiesEach = options.verifyEach || makesBinaries(pm);
  pm.enableVerifier(verifiesEach);
  if (failed(pm.run(module)))
    return failure();
  return verifiesEach ? success() : verify(module);
}

/// For the host; functions without a target of their own are for `cpu`.
static std::unique_ptr<llvm::TargetMachine>
createTarget(llvm::Module &module, unsigned level, StringRef cpu) {
  llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target) {
    (void)fail(message);
    return nullptr;
  }
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, /*CPU=*/"", /*Features=*/"", llvm::TargetOptions(),
      llvm::Reloc::PIC_, /*CM=*/std::nullopt,
      *llvm::CodeGenOpt::getLevel(level)));
  module.setTargetTriple(triple);
  module.setDataLayout(machine->createDataLayout());
  llvm::Expected<relattn::CPUTarget> own = relattn::CPUTarget::get(cpu, "");
  if (!own) {
    (void)fail(llvm::toString(own.takeError()));
    return nullptr;
  }
  for (llvm::Function &function : module) {
    if (function.isDeclaration() || function.hasFnAttribute("target-cpu"))
      continue;
    function.addFnAttr("target-cpu", own->cpu);
    function.addFnAttr("target-features", own->features);
  }
  return machine;
}

/// What level 1 runs: of LLVM's O1 what shortens the code of tiles and
/// vectorises loops. It takes half of O1's instructions (a kernel of dynamic M
/// and N), and the kernels are as fast; 0.95 to 0.97 times at D 256 where
/// deadargelim drops arguments of tiles.
static constexpr llvm::StringLiteral kLevelOne =
    "function(sroa,early-cse,simplifycfg),cgscc(inline),"
    "function(instcombine<no-verify-fixpoint>,"
    "loop-mssa(licm,loop-rotate,licm),loop(loop-idiom,indvars,loop-deletion),"
    "loop-vectorize<interleave-forced-only;no-vectorize-forced-only>,"
    "early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg,"
    "loop-mssa(licm))";

static void optimize(llvm::Module &module, llvm::TargetMachine &machine,
                     unsigned level) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions tuning;
  tuning.SLPVectorization = level > 1;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::ModulePassManager passes;
  if (level == 0)
    passes = builder.buildO0DefaultPipeline(llvm::OptimizationLevel::O0);
  else if (level == 1)
    llvm::cantFail(builder.parsePassPipeline(passes, kLevelOne));
  else
    passes = builder.buildPerModuleDefaultPipeline(
        level == 2 ? llvm::OptimizationLevel::O2 : llvm::OptimizationLevel::O3);
  passes.run(module, modules);
}

static LogicalResult emit(llvm::Module &module, llvm::TargetMachine &machine,
                          Format format, llvm::raw_pwrite_stream &os) {
  if (format == Format::LLVMIR) {
    module.print(os, nullptr);
    return success();
  }
  llvm::legacy::PassManager passes;
  auto type = format == Format::Object ? llvm::CodeGenFileType::ObjectFile
                                       : llvm::CodeGenFileType::AssemblyFile;
  if (machine.addPassesToEmitFile(passes, os, /*DwoOut=*/nullptr, type))
    return fail("the target cannot emit this");
  passes.run(module);
  return success();
}

static LogicalResult write(StringRef file, StringRef bytes) {
  std::string message;
  std::unique_ptr<llvm::ToolOutputFile> output = openOutputFile(file, &message);
  if (!output)
    return fail(message);
  output->os() << bytes;
  output->keep();
  return success();
}

/// The code of the module's kernels, which are in one object, and the header.
static LogicalResult writeKernels(ModuleOp module, const Options &options) {
  auto binaries = llvm::to_vector(module.getOps<gpu::BinaryOp>());
  if (binaries.empty())
    return fail("the module has no kernel");
  if (binaries.size() > 1 || binaries[0].getObjects().size() != 1)
    return fail("the module has kernels in several objects");
  SmallString<64> header(options.header);
  bool isFile =
      options.output != "-" && (!llvm::sys::fs::exists(options.output) ||
                                llvm::sys::fs::is_regular_file(options.output));
  if (header.empty() && isFile) {
    header = options.output;
    llvm::sys::path::replace_extension(header, "h");
  }
  if (!header.empty() && header == StringRef(options.output))
    return fail("the header would replace the output file: name it by "
                "--header");
  auto object = cast<gpu::ObjectAttr>(binaries[0].getObjects()[0]);
  if (header.empty())
    return write(options.output, object.getObject().getValue());
  llvm::Expected<relattn::GPUChip> chip =
      relattn::GPUChip::get(options.target, options.chip);
  if (!chip)
    return fail(llvm::toString(chip.takeError()));
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (failed(relattn::translateToKernelHeader(
          module, *chip, llvm::sys::path::filename(header), stream)))
    return failure();
  // Both files or none.
  std::string message;
  std::unique_ptr<llvm::ToolOutputFile> code =
      openOutputFile(options.output, &message);
  std::unique_ptr<llvm::ToolOutputFile> launches =
      code ? openOutputFile(header, &message) : nullptr;
  if (!launches)
    return fail(message);
  code->os() << object.getObject().getValue();
  launches->os() << text;
  code->keep();
  launches->keep();
  return success();
}

/// No option that the kind of target would ignore.
static LogicalResult checkOptions(const Options &options) {
  auto isGiven = [](const cl::Option &option) {
    return option.getNumOccurrences() > 0;
  };
  if (options.targetsGPU()) {
    if (isGiven(options.format) || isGiven(options.level) ||
        isGiven(options.cpu))
      return fail("--emit, -O and -mcpu are not for the kernels of a GPU");
  } else if (isGiven(options.header) || isGiven(options.chip) ||
             isGiven(options.kernelFormat)) {
    return fail("--header, --chip and --format are for the kernels of a GPU: "
                "name its --target");
  }
  return success();
}

static LogicalResult compile(const Options &options,
                             const DialectRegistry &registry) {
  if (failed(checkOptions(options)))
    return failure();
  if (options.level > 3)
    return fail("expected an optimisation level of 0 to 3");
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> input =
      relattn::openNonEmptyInput(options.input, &message);
  if (!input)
    return fail(message);
  MLIRContext context(registry);
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(input), llvm::SMLoc());
  SourceMgrDiagnosticHandler diagnostics(*sources, &context);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module || failed(lower(*module, options)))
    return failure();
  if (options.targetsGPU())
    return writeKernels(*module, options);
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(*module, llvmContext);
  if (!translated)
    return fail("the module is not in the LLVM dialect after the passes");
  // LLVM's fast register allocator does not know tiles that loops carry.
  if (options.level == 0 &&
      llvm::any_of(*translated, [](const llvm::Function &function) {
        return function.getName().starts_with("llvm.x86.tdp");
      }))
    return fail("-O0 cannot compile the code of a matrix unit: use -O1");
  std::unique_ptr<llvm::TargetMachine> machine =
      createTarget(*translated, options.level, options.cpu);
  if (!machine)
    return failure();
  optimize(*translated, *machine, options.level);
  llvm::SmallVector<char> bytes;
  llvm::raw_svector_ostream stream(bytes);
  if (failed(emit(*translated, *machine, options.format, stream)))
    return failure();
  return write(options.output, stream.str());
}

int main(int argc, char **argv) {
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerAllPasses();
  registerAllToLLVMIRTranslations(registry);
  relattn::registerAllDialects(registry);
  relattn::registerAllPasses();
  llvm::InitLLVM init(argc, argv);
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::InitializeNativeTargetAsmParser(); // of inline assembly
  registerPassManagerCLOptions();
  registerMLIRContextCLOptions();
  Options options;
  cl::ParseCommandLineOptions(
      argc, argv, "relattn ahead-of-time compiler: MLIR to an object file\n");
  return failed(compile(options, registry));
}
