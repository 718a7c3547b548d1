//===- ToySchemePlugin.cpp - A bucketing from outside the dialect ---------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `#toy.sides`: bucket 0 for earlier keys, 1 for the query's own, 2 for later
// ones. All that a bucketing needs is the attribute and its intervals.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/DialectImplementation.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "relattn/IR/RelAttn.h"

using namespace mlir;

namespace {

struct SidesAttr
    : public Attribute::AttrBase<SidesAttr, Attribute, AttributeStorage,
                                 relattn::BiasSchemeAttrInterface::Trait> {
  using Base::Base;
  static constexpr StringLiteral name = "toy.sides";
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SidesAttr)

  std::optional<relattn::StepFunction> getStepFunction() const {
    return relattn::StepFunction::getSteps(3, {0, 1}, {0, 1, 2});
  }
};

struct ToyDialect : public Dialect {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ToyDialect)
  static constexpr StringLiteral getDialectNamespace() { return "toy"; }

  explicit ToyDialect(MLIRContext *context)
      : Dialect(getDialectNamespace(), context, TypeID::get<ToyDialect>()) {
    addAttributes<SidesAttr>();
  }
  Attribute parseAttribute(DialectAsmParser &parser, Type) const override {
    if (parser.parseKeyword("sides"))
      return {};
    return SidesAttr::get(getContext());
  }
  void printAttribute(Attribute, DialectAsmPrinter &printer) const override {
    printer << "sides";
  }
};

} // namespace

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "ToyScheme", LLVM_VERSION_STRING,
          [](DialectRegistry *registry) { registry->insert<ToyDialect>(); }};
}
