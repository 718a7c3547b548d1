//===- Input.h - What tools read --------------------------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An empty input is an error: it is what a failed tool before this one in a
// pipe leaves, not a module.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TOOLS_INPUT_H
#define RELATTN_TOOLS_INPUT_H

#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"

namespace mlir::relattn {

/// The file's bytes, or null and why not.
inline std::unique_ptr<llvm::MemoryBuffer>
openNonEmptyInput(llvm::StringRef name, std::string *message) {
  std::unique_ptr<llvm::MemoryBuffer> input = openInputFile(name, message);
  if (!input || !input->getBuffer().trim().empty())
    return input;
  *message = ("the input '" + name + "' is empty").str();
  return nullptr;
}

} // namespace mlir::relattn

#endif // RELATTN_TOOLS_INPUT_H
