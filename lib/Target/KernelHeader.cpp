//===- KernelHeader.cpp - C code that launches kernels --------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header. Host code is straight: a value of integer or index type
// becomes a constant of int64_t, a buffer a pointer and its sizes. Upstream's
// emitc has no form for the gpu dialect and for half of the arithmetic here.
//
//===----------------------------------------------------------------------===//

#include "relattn/Target/KernelHeader.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "mlir/Support/IndentedOstream.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::relattn;

static constexpr StringLiteral kDevice = R"(#ifndef RELATTN_DEVICE
#define RELATTN_DEVICE
/* What the functions below call, with `user` as the first argument. */
struct relattn_device {
  void *user;
  /* `bytes` of the device's memory, starting on at least 16 bytes; not null. */
  void *(*allocate)(void *user, size_t bytes);
  void (*release)(void *user, void *memory);
  /* Within the device's memory, after all launches before. */
  void (*copy)(void *user, void *target, const void *source, size_t bytes);
  /* A kernel of the file of code: `grid` workgroups of `block` threads, with
     `shared_bytes` of shared memory beside what the kernel declares (more than 48
     KB have to be asked for in CUDA, by cuFuncSetAttribute). `params`
     points to each of its `num_params` arguments, of 8 bytes; what they are says
     the comment at each launch. Launches run one after the other. */
  void (*launch)(void *user, const char *kernel, const uint32_t grid[3],
                 const uint32_t block[3], uint32_t shared_bytes, void **params,
                 uint32_t num_params);
};
static inline int64_t relattn_floordiv(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
static inline int64_t relattn_ceildiv(int64_t a, int64_t b) {
  return a / b + (a % b != 0 && (a < 0) == (b < 0));
}
#endif
)";

namespace {

class HeaderPrinter {
public:
  HeaderPrinter(const GPUChip &chip, DataLayout layout,
                raw_indented_ostream &os)
      : chip(chip), layout(std::move(layout)), os(os) {}

  LogicalResult print(func::FuncOp function);

private:
  struct Buffer {
    std::string pointer;
    SmallVector<std::string> sizes;
  };

  void printSignature(func::FuncOp function);
  void printAlignmentChecks(func::FuncOp function);
  LogicalResult print(Operation &op);
  LogicalResult printInteger(Operation &op);
  LogicalResult print(gpu::LaunchFuncOp launch);
  LogicalResult print(func::ReturnOp op);
  LogicalResult appendArguments(gpu::LaunchFuncOp launch, Value operand,
                                SmallVectorImpl<std::string> &arguments,
                                SmallVectorImpl<std::string> &comments);
  Buffer createBuffer(MemRefType type, const Twine &name, ValueRange sizes);
  std::string getBytes(Value buffer);
  std::string get(Value value) { return names.lookup(value); }
  std::string createName() { return "v" + std::to_string(numValues++); }

  const GPUChip &chip;
  DataLayout layout;
  raw_indented_ostream &os;
  llvm::DenseMap<Value, std::string> names;
  llvm::DenseMap<Value, Buffer> buffers;
  unsigned numValues = 0;
};

} // namespace

/// "bf16 [1, 8, arg0_size2, 64]"
static std::string describe(MemRefType type, ArrayRef<std::string> sizes) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << type.getElementType() << " [" << llvm::join(sizes, ", ") << "]";
  return text;
}

/// The sizes are those of the type, and `sizes` for the dynamic ones or,
/// without any, parameters.
HeaderPrinter::Buffer HeaderPrinter::createBuffer(MemRefType type,
                                                  const Twine &name,
                                                  ValueRange sizes) {
  Buffer buffer{name.str(), {}};
  unsigned numDynamic = 0;
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size))
      buffer.sizes.push_back(std::to_string(size));
    else if (sizes.empty())
      buffer.sizes.push_back((name + "_size" + Twine(dim)).str());
    else
      buffer.sizes.push_back(get(sizes[numDynamic++]));
  }
  return buffer;
}

std::string HeaderPrinter::getBytes(Value buffer) {
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  std::string bytes =
      "(int64_t)" + std::to_string(layout.getTypeSize(element).getFixedValue());
  for (const std::string &size : buffers.lookup(buffer).sizes)
    bytes += " * " + size;
  return bytes;
}

void HeaderPrinter::printSignature(func::FuncOp function) {
  SmallVector<std::string> parameters = {"const struct relattn_device *device"};
  os << "\n/* Tensors, in the device's memory and contiguous:\n";
  for (BlockArgument argument : function.getArguments()) {
    std::string name = "arg" + std::to_string(argument.getArgNumber());
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type) {
      parameters.push_back("int64_t " + name);
      names[argument] = name;
      continue;
    }
    Buffer &buffer = buffers[argument] = createBuffer(type, name, {});
    parameters.push_back("void *" + name);
    for (auto [dim, size] : llvm::enumerate(type.getShape()))
      if (ShapedType::isDynamic(size))
        parameters.push_back("int64_t " + buffer.sizes[dim]);
    os << "     " << name << ": " << describe(type, buffer.sizes) << "\n";
  }
  for (auto [i, result] : llvm::enumerate(function.getResultTypes())) {
    auto type = cast<MemRefType>(result);
    std::string name = "result" + std::to_string(i);
    parameters.push_back("void **" + name);
    SmallVector<std::string> sizes;
    for (auto [dim, size] : llvm::enumerate(type.getShape())) {
      bool isDynamic = ShapedType::isDynamic(size);
      sizes.push_back(isDynamic ? "*" + name + "_size" + std::to_string(dim)
                                : std::to_string(size));
      if (isDynamic)
        parameters.push_back("int64_t " + sizes.back());
    }
    os << "     *" << name << ": " << describe(type, sizes)
       << ", allocated here, the caller's to release\n";
  }
  os << "   Returns 0";
  if (chip.target != GPUTarget::SPIRV)
    os << ", or the number of the first tensor (from 1) that does not start on "
          "16 bytes";
  os << ". */\nstatic inline int " << function.getName() << "("
     << llvm::join(parameters, ",\n    ") << ") {\n";
  os.indent();
}

/// Copies of 16 bytes need them. (A buffer for SPIR-V may be a handle.)
void HeaderPrinter::printAlignmentChecks(func::FuncOp function) {
  if (chip.target == GPUTarget::SPIRV)
    return;
  for (BlockArgument argument : function.getArguments())
    if (isa<MemRefType>(argument.getType()))
      os << "if ((uintptr_t)arg" << argument.getArgNumber()
         << " % 16 != 0)\n  return " << argument.getArgNumber() + 1 << ";\n";
}

/// An argument as 8 bytes or, of a kernel that LLVM compiles, a descriptor.
LogicalResult
HeaderPrinter::appendArguments(gpu::LaunchFuncOp launch, Value operand,
                               SmallVectorImpl<std::string> &arguments,
                               SmallVectorImpl<std::string> &comments) {
  auto append = [&](const Twine &value, const Twine &comment) {
    arguments.push_back(value.str());
    comments.push_back(comment.str());
  };
  auto type = dyn_cast<MemRefType>(operand.getType());
  if (!type) {
    if (!operand.getType().isIndex() && !operand.getType().isInteger(64))
      return launch.emitError("an argument of type ")
             << operand.getType() << " has no form in C";
    append(get(operand), "");
    return success();
  }
  const Buffer &buffer = buffers[operand];
  if (!type.getLayout().isIdentity())
    return launch.emitError("a buffer that is not contiguous has no form in C");
  std::string address = "(int64_t)(intptr_t)" + buffer.pointer;
  append(address, describe(type, buffer.sizes) + ": allocated");
  append(address, "address");
  append("0", "offset");
  for (auto [dim, size] : llvm::enumerate(buffer.sizes))
    append(size, "size " + Twine(dim));
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    SmallVector<std::string> factors(
        ArrayRef(buffer.sizes).drop_front(dim + 1));
    append(factors.empty() ? "1" : "(int64_t)" + llvm::join(factors, " * "),
           "stride " + Twine(dim));
  }
  return success();
}

/// What a launch of a SPIR-V kernel passes (relattn-convert-kernels-to-spirv).
static SmallVector<std::string> describeSPIRV(gpu::LaunchFuncOp launch) {
  SmallVector<std::string> comments(launch.getNumKernelOperands());
  std::optional<int64_t> count =
      getConstantIntValue(launch.getKernelOperand(0));
  if (!count)
    return comments;
  comments[0] = "buffers, the kernel's first arguments or bindings";
  for (int64_t i = 0; i < *count; ++i) {
    comments[1 + 3 * i] = "buffer " + std::to_string(i);
    comments[2 + 3 * i] = "its bytes";
    comments[3 + 3 * i] = "whether it is written";
  }
  for (size_t i = 1 + 3 * *count; i < comments.size(); ++i)
    comments[i] = "the next argument (int64_t) or push constant (int32_t)";
  return comments;
}

LogicalResult HeaderPrinter::print(gpu::LaunchFuncOp launch) {
  SmallVector<std::string> arguments, comments;
  for (Value operand : launch.getKernelOperands())
    if (failed(appendArguments(launch, operand, arguments, comments)))
      return failure();
  if (chip.target == GPUTarget::SPIRV)
    comments = describeSPIRV(launch);
  auto getTriple = [&](gpu::KernelDim3 dims) {
    return "{(uint32_t)" + get(dims.x) + ", (uint32_t)" + get(dims.y) +
           ", (uint32_t)" + get(dims.z) + "}";
  };
  Value shared = launch.getDynamicSharedMemorySize();
  os << "{\n";
  os.indent();
  os << "const uint32_t grid[3] = "
     << getTriple(launch.getGridSizeOperandValues())
     << ";\nconst uint32_t block[3] = "
     << getTriple(launch.getBlockSizeOperandValues()) << ";\n";
  os << "int64_t values[" << arguments.size() << "];\n";
  os << "void *params[" << arguments.size() << "];\n";
  for (auto [i, argument, comment] : llvm::enumerate(arguments, comments)) {
    os << "values[" << i << "] = " << argument << ";";
    if (!comment.empty())
      os << " /* " << comment << " */";
    os << "\n";
  }
  os << "for (int i = 0; i < " << arguments.size()
     << "; ++i)\n  params[i] = &values[i];\n";
  os << "device->launch(device->user, \"" << launch.getKernelName().getValue()
     << "\", grid, block,\n               (uint32_t)"
     << (shared ? get(shared) : "0") << ", params, " << arguments.size()
     << ");\n";
  os.unindent();
  os << "}\n";
  return success();
}

LogicalResult HeaderPrinter::print(func::ReturnOp op) {
  for (auto [i, operand] : llvm::enumerate(op.getOperands())) {
    auto type = dyn_cast<MemRefType>(operand.getType());
    if (!type)
      return op.emitError("a result that is no tensor has no form in C");
    const Buffer &buffer = buffers[operand];
    os << "*result" << i << " = " << buffer.pointer << ";\n";
    for (auto [dim, size] : llvm::enumerate(type.getShape()))
      if (ShapedType::isDynamic(size))
        os << "*result" << i << "_size" << dim << " = " << buffer.sizes[dim]
           << ";\n";
  }
  os << "return 0;\n";
  return success();
}

static StringRef getComparison(arith::CmpIPredicate predicate) {
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return "==";
  case arith::CmpIPredicate::ne:
    return "!=";
  case arith::CmpIPredicate::slt:
  case arith::CmpIPredicate::ult:
    return "<";
  case arith::CmpIPredicate::sle:
  case arith::CmpIPredicate::ule:
    return "<=";
  case arith::CmpIPredicate::sgt:
  case arith::CmpIPredicate::ugt:
    return ">";
  case arith::CmpIPredicate::sge:
  case arith::CmpIPredicate::uge:
    return ">=";
  }
  llvm_unreachable("unknown predicate");
}

static bool isUnsigned(arith::CmpIPredicate predicate) {
  return predicate == arith::CmpIPredicate::ult ||
         predicate == arith::CmpIPredicate::ule ||
         predicate == arith::CmpIPredicate::ugt ||
         predicate == arith::CmpIPredicate::uge;
}

/// Arithmetic; every value is an int64_t.
LogicalResult HeaderPrinter::printInteger(Operation &op) {
  auto operand = [&](unsigned i) { return get(op.getOperand(i)); };
  auto binary = [&](StringRef sign) {
    return operand(0) + " " + sign.str() + " " + operand(1);
  };
  auto ofUnsigned = [&](StringRef sign) {
    return "(int64_t)((uint64_t)" + operand(0) + " " + sign.str() +
           " (uint64_t)" + operand(1) + ")";
  };
  auto call = [&](StringRef name) {
    return name.str() + "(" + operand(0) + ", " + operand(1) + ")";
  };
  auto choose = [&](StringRef sign) {
    return binary(sign) + " ? " + operand(0) + " : " + operand(1);
  };
  std::string text =
      llvm::TypeSwitch<Operation *, std::string>(&op)
          .Case([&](arith::ConstantOp constant) {
            auto value = dyn_cast<IntegerAttr>(constant.getValue());
            return value ? std::to_string(value.getInt()) : std::string();
          })
          .Case([&](arith::AddIOp) { return binary("+"); })
          .Case([&](arith::SubIOp) { return binary("-"); })
          .Case([&](arith::MulIOp) { return binary("*"); })
          .Case([&](arith::AndIOp) { return binary("&"); })
          .Case([&](arith::OrIOp) { return binary("|"); })
          .Case([&](arith::DivSIOp) { return binary("/"); })
          .Case([&](arith::RemSIOp) { return binary("%"); })
          .Case([&](arith::DivUIOp) { return ofUnsigned("/"); })
          .Case([&](arith::RemUIOp) { return ofUnsigned("%"); })
          .Case([&](arith::CeilDivSIOp) { return call("relattn_ceildiv"); })
          .Case([&](arith::FloorDivSIOp) { return call("relattn_floordiv"); })
          .Case([&](arith::MaxSIOp) { return choose(">"); })
          .Case([&](arith::MinSIOp) { return choose("<"); })
          .Case([&](arith::CmpIOp compare) {
            StringRef sign = getComparison(compare.getPredicate());
            return isUnsigned(compare.getPredicate()) ? ofUnsigned(sign)
                                                      : binary(sign);
          })
          .Case([&](arith::SelectOp) {
            return operand(0) + " ? " + operand(1) + " : " + operand(2);
          })
          .Case<arith::IndexCastOp, arith::ExtSIOp>(
              [&](auto) { return operand(0); })
          .Default([](Operation *) { return std::string(); });
  // Numbers of 64 bits; conditions are for a select alone, constants of any
  // size.
  auto isNumber = [](Type type) {
    return type.isIndex() || type.isInteger(64);
  };
  bool isCondition = isa<arith::CmpIOp>(op);
  bool isChoice = isa<arith::SelectOp>(op);
  if (text.empty() || op.getNumResults() != 1 ||
      !(isa<arith::ConstantOp>(op) || isCondition ||
        isNumber(op.getResult(0).getType())) ||
      !llvm::all_of(llvm::drop_begin(op.getOperandTypes(), isChoice), isNumber))
    return op.emitError("host code that has no form in C");
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    names[constant] = text;
    return success();
  }
  std::string &name = names[op.getResult(0)] = createName();
  os << "const int64_t " << name << " = " << text << ";\n";
  return success();
}

LogicalResult HeaderPrinter::print(Operation &op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case([&](gpu::LaunchFuncOp launch) { return print(launch); })
      .Case([&](func::ReturnOp ret) { return print(ret); })
      .Case([&](gpu::AllocOp alloc) {
        Value memory = alloc.getMemref();
        buffers[memory] = createBuffer(alloc.getType(), createName(),
                                       alloc.getDynamicSizes());
        os << "void *const " << buffers[memory].pointer
           << " = device->allocate(device->user, (size_t)(" << getBytes(memory)
           << "));\n";
        return success();
      })
      .Case([&](gpu::DeallocOp dealloc) {
        os << "device->release(device->user, "
           << buffers[dealloc.getMemref()].pointer << ");\n";
        return success();
      })
      .Case([&](gpu::MemcpyOp copy) {
        os << "device->copy(device->user, " << buffers[copy.getDst()].pointer
           << ", " << buffers[copy.getSrc()].pointer << ", (size_t)("
           << getBytes(copy.getSrc()) << "));\n";
        return success();
      })
      .Case([&](memref::CastOp cast) {
        Buffer source = buffers.lookup(cast.getSource());
        buffers[cast.getResult()] = std::move(source);
        return success();
      })
      .Case([&](memref::DimOp dim) -> LogicalResult {
        std::optional<int64_t> index = dim.getConstantIndex();
        if (!index)
          return dim.emitError("host code that has no form in C");
        names[dim] = buffers[dim.getSource()].sizes[*index];
        return success();
      })
      .Case([&](memref::ExtractAlignedPointerAsIndexOp pointer) {
        names[pointer] =
            "(int64_t)(intptr_t)" + buffers[pointer.getSource()].pointer;
        return success();
      })
      .Default([&](Operation *other) { return printInteger(*other); });
}

/// A name that C has no other use for.
static bool isIdentifier(StringRef name) {
  static constexpr StringLiteral kKeywords[] = {
      "auto",    "break",    "case",     "char",     "const",    "continue",
      "default", "do",       "double",   "else",     "enum",     "extern",
      "float",   "for",      "goto",     "if",       "inline",   "int",
      "long",    "main",     "register", "return",   "restrict", "short",
      "signed",  "sizeof",   "static",   "struct",   "switch",   "typedef",
      "union",   "unsigned", "void",     "volatile", "while"};
  return !name.empty() && !llvm::isDigit(name.front()) &&
         llvm::all_of(name,
                      [](char c) { return llvm::isAlnum(c) || c == '_'; }) &&
         !llvm::is_contained(kKeywords, name);
}

LogicalResult HeaderPrinter::print(func::FuncOp function) {
  if (!isIdentifier(function.getName()))
    return function.emitError("'")
           << function.getName() << "' is no name for a function in C";
  if (!function.getBody().hasOneBlock())
    return function.emitError("host code with branches has no form in C");
  for (Type type : function.getArgumentTypes())
    if (!isa<MemRefType>(type) && !type.isIndex())
      return function.emitError("an argument of type ")
             << type << " has no form in C: expected a tensor or an index";
  for (Type type : function.getResultTypes())
    if (!isa<MemRefType>(type))
      return function.emitError("a result of type ")
             << type << " has no form in C: expected a tensor";
  names.clear();
  buffers.clear();
  numValues = 0;
  printSignature(function);
  printAlignmentChecks(function);
  for (Operation &op : function.getBody().front())
    if (failed(print(op)))
      return failure();
  os.unindent();
  os << "}\n";
  return success();
}

LogicalResult relattn::translateToKernelHeader(ModuleOp module,
                                               const GPUChip &chip,
                                               StringRef name,
                                               raw_ostream &stream) {
  raw_indented_ostream os(stream);
  std::string guard = "RELATTN_";
  for (char c : name)
    guard += llvm::isAlnum(c) ? llvm::toUpper(c) : '_';
  os << "/* Made by relattn-compile: launches the kernels for " << chip.name
     << " beside\n   this file. */\n";
  os << "#ifndef " << guard << "\n#define " << guard << "\n\n"
     << "#include <stddef.h>\n#include <stdint.h>\n\n"
     << kDevice;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isDeclaration())
      continue;
    HeaderPrinter printer(chip, DataLayout(module), os);
    if (failed(printer.print(function)))
      return failure();
  }
  os << "\n#endif\n";
  return success();
}
