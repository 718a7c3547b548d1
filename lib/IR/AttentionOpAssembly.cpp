//===- AttentionOpAssembly.cpp - Assembly of relattn.attention ------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   relattn.attention [causal | band<lo, hi>] [scale(float)]
//       [maps(query, key, value -> output)]
//       ins(%query, %key, %value : types)
//       [bias(#scheme, %bias [, %zero] : type)]
//       [mask(%mask [(dims)] : type)]
//       [query_offset(%offset : type)] [key_lengths(%lengths : type)]
//       outs(%init [, %lse_init] : types) [attributes]
//
// What equals its default is not printed. An op whose maps have no names is
// invalid and is printed in the generic form.
//
//===----------------------------------------------------------------------===//

#include "DimensionNames.h"
#include "relattn/IR/RelAttn.h"

using namespace mlir;
using namespace mlir::relattn;

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

namespace {
struct OperandList {
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SmallVector<Type> types;
  SMLoc loc;
};
} // namespace

/// `(` operands `:` types `)`
static ParseResult parseOperandsWithTypes(OpAsmParser &parser,
                                          OperandList &list) {
  list.loc = parser.getCurrentLocation();
  if (parser.parseLParen() || parser.parseOperandList(list.operands) ||
      parser.parseColon() || parser.parseTypeList(list.types) ||
      parser.parseRParen())
    return failure();
  return success();
}

/// `maps` `(` query `,` key `,` value `->` output `)`
static ParseResult parseMaps(OpAsmParser &parser, ArrayAttr &maps) {
  AffineMap query, key, value, output;
  if (parser.parseLParen() || parseDimensionNames(parser, query) ||
      parser.parseComma() || parseDimensionNames(parser, key) ||
      parser.parseComma() || parseDimensionNames(parser, value) ||
      parser.parseArrow() || parseDimensionNames(parser, output) ||
      parser.parseRParen())
    return failure();
  maps = parser.getBuilder().getAffineMapArrayAttr({query, key, value, output});
  return success();
}

/// `bias` `(` scheme `,` operand [`,` zero] `:` type `)`
static ParseResult parseBias(OpAsmParser &parser,
                             BiasSchemeAttrInterface &scheme,
                             OperandList &bias) {
  SMLoc loc = parser.getCurrentLocation();
  Attribute attribute;
  if (parser.parseLParen())
    return failure();
  loc = parser.getCurrentLocation();
  if (parser.parseAttribute(attribute))
    return failure();
  scheme = dyn_cast<BiasSchemeAttrInterface>(attribute);
  if (!scheme)
    return parser.emitError(loc, "expected a bias scheme, got ") << attribute;
  bias.loc = parser.getCurrentLocation();
  if (parser.parseComma() || parser.parseOperandList(bias.operands) ||
      parser.parseColonTypeList(bias.types) || parser.parseRParen())
    return failure();
  if (bias.operands.size() > 2)
    return parser.emitError(bias.loc, "expected a bias and at most a zero");
  if (bias.operands.size() == 2)
    bias.types.push_back(parser.getBuilder().getIndexType());
  return success();
}

/// `mask` `(` operand [dims] `:` type `)`
static ParseResult parseMask(OpAsmParser &parser, AffineMap &map,
                             OperandList &mask) {
  mask.loc = parser.getCurrentLocation();
  if (parser.parseLParen() || parser.parseOperand(mask.operands.emplace_back()))
    return failure();
  if (failed(parser.parseOptionalColon())) {
    if (parseDimensionNames(parser, map) || parser.parseColon())
      return failure();
  }
  if (parser.parseType(mask.types.emplace_back()) || parser.parseRParen())
    return failure();
  return success();
}

ParseResult AttentionOp::parse(OpAsmParser &parser, OperationState &result) {
  Builder &builder = parser.getBuilder();
  MLIRContext *context = builder.getContext();
  Properties &properties = result.getOrAddProperties<Properties>();

  if (succeeded(parser.parseOptionalKeyword("causal"))) {
    properties.band = BandAttr::getCausal(context);
  } else if (succeeded(parser.parseOptionalKeyword("band"))) {
    properties.band =
        dyn_cast_if_present<BandAttr>(BandAttr::parse(parser, {}));
    if (!properties.band)
      return failure();
  }
  if (succeeded(parser.parseOptionalKeyword("scale"))) {
    if (parser.parseLParen() ||
        parser.parseAttribute(properties.scale, builder.getF64Type()) ||
        parser.parseRParen())
      return failure();
  }
  if (succeeded(parser.parseOptionalKeyword("maps")) &&
      parseMaps(parser, properties.indexing_maps))
    return failure();

  OperandList ins, bias, mask, queryOffset, keyLengths, outs;
  if (parser.parseKeyword("ins") || parseOperandsWithTypes(parser, ins))
    return failure();
  if (ins.operands.size() != 3)
    return parser.emitError(ins.loc, "expected query, key and value");
  if (succeeded(parser.parseOptionalKeyword("bias"))) {
    BiasSchemeAttrInterface scheme;
    if (parseBias(parser, scheme, bias))
      return failure();
    properties.bias_scheme = scheme;
  }
  AffineMap maskMap;
  if (succeeded(parser.parseOptionalKeyword("mask")) &&
      parseMask(parser, maskMap, mask))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("query_offset")) &&
      parseOperandsWithTypes(parser, queryOffset))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("key_lengths")) &&
      parseOperandsWithTypes(parser, keyLengths))
    return failure();
  if (parser.parseKeyword("outs") || parseOperandsWithTypes(parser, outs))
    return failure();
  for (auto [name, list] : {std::pair("query_offset", &queryOffset),
                            std::pair("key_lengths", &keyLengths)})
    if (list->operands.size() > 1)
      return parser.emitError(list->loc, "expected one ") << name;
  if (outs.operands.empty() || outs.operands.size() > 2)
    return parser.emitError(outs.loc, "expected one or two destinations");
  if (parser.parseOptionalAttrDict(result.attributes))
    return failure();

  // Defaults.
  for (Type type : outs.types)
    if (!isa<RankedTensorType>(type))
      return parser.emitError(outs.loc, "expected ranked tensors, got ")
             << type;
  if (!properties.indexing_maps) {
    int64_t rank = cast<RankedTensorType>(outs.types.front()).getRank();
    properties.indexing_maps = getDefaultIndexingMaps(context, rank);
    if (!properties.indexing_maps)
      return parser.emitError(outs.loc, "an output of rank ")
             << rank << " has no default layout, write maps(...)";
  }
  if (!mask.operands.empty() && !maskMap) {
    SmallVector<unsigned> dimensions;
    AffineMap output =
        cast<AffineMapAttr>(properties.indexing_maps[3]).getValue();
    for (unsigned dimension : {B, G, R})
      if (output.isFunctionOfDim(dimension))
        dimensions.push_back(dimension);
    dimensions.append({M, N});
    maskMap = getMap(context, dimensions);
  }
  if (maskMap)
    properties.mask_map = AffineMapAttr::get(maskMap);

  // Operands in the order of the declaration: bias and zero are one list here.
  for (OperandList *list :
       {&ins, &bias, &mask, &queryOffset, &keyLengths, &outs})
    if (parser.resolveOperands(list->operands, list->types, list->loc,
                               result.operands))
      return failure();
  int32_t sizes[] = {1,
                     1,
                     1,
                     bias.operands.empty() ? 0 : 1,
                     bias.operands.size() > 1 ? 1 : 0,
                     int32_t(mask.operands.size()),
                     int32_t(queryOffset.operands.size()),
                     int32_t(keyLengths.operands.size()),
                     int32_t(outs.operands.size())};
  llvm::copy(sizes, properties.operandSegmentSizes.begin());
  result.addTypes(outs.types);
  return success();
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static void printMaps(OpAsmPrinter &printer, AttentionOp op) {
  int64_t rank = cast<RankedTensorType>(op.getInit().getType()).getRank();
  if (op.getIndexingMaps() ==
      AttentionOp::getDefaultIndexingMaps(op.getContext(), rank))
    return;
  printer << " maps(";
  printDimensionNames(printer, op.getQueryMap());
  printer << ", ";
  printDimensionNames(printer, op.getKeyMap());
  printer << ", ";
  printDimensionNames(printer, op.getValueMap());
  printer << " -> ";
  printDimensionNames(printer, op.getOutputMap());
  printer << ")";
}

static void printOperands(OpAsmPrinter &printer, StringRef keyword,
                          ValueRange operands) {
  printer << " " << keyword << "(" << operands << " : " << operands.getTypes()
          << ")";
}

void AttentionOp::print(OpAsmPrinter &printer) {
  if (BandAttr band = getBandAttr()) {
    printer << (band.isCausal() ? " causal" : " band");
    if (!band.isCausal())
      band.print(printer);
  }
  if (!getScale().isExactlyValue(1.0)) {
    printer << " scale(";
    printer.printAttributeWithoutType(getScaleAttr());
    printer << ")";
  }
  printMaps(printer, *this);
  printOperands(printer, "ins", {getQuery(), getKey(), getValue()});
  if (getBias()) {
    printer << " bias(" << getBiasSchemeAttr() << ", " << getBias();
    if (getZero())
      printer << ", " << getZero();
    printer << " : " << getBias().getType() << ")";
  }
  if (getMask()) {
    printer << " mask(" << getMask();
    if (*getMaskMap() != getDefaultMaskMap()) {
      printer << " ";
      printDimensionNames(printer, *getMaskMap());
    }
    printer << " : " << getMask().getType() << ")";
  }
  if (getQueryOffset())
    printOperands(printer, "query_offset", getQueryOffset());
  if (getKeyLengths())
    printOperands(printer, "key_lengths", getKeyLengths());
  printOperands(printer, "outs", getInits());
  printer.printOptionalAttrDict((*this)->getAttrs(),
                                {getIndexingMapsAttrName(), getScaleAttrName(),
                                 getBiasSchemeAttrName(), getBandAttrName(),
                                 getMaskMapAttrName(),
                                 getOperandSegmentSizesAttrName()});
}
