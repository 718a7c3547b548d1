// RUN: relattn-opt %s --relattn-verify-lowered-to-llvm --split-input-file --verify-diagnostics
// RUN: relattn-opt %s --split-input-file --verify-diagnostics --relattn-to-cpu

module {
  llvm.func @fine() {
    llvm.return
  }
}

// -----

// expected-error @+1 {{'gpu.module' op has no lowering to the LLVM dialect in this pipeline}}
gpu.module @kernels {
}
