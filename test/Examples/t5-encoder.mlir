// T5-small's encoder self-attention: one op with the table and the bucketing, no
// bias tensor and no mask tensor. `tools/demo.sh` runs it on the inputs of a
// seeded Hugging Face layer.

// RUN: relattn-opt %s | FileCheck %s --check-prefix=OP
// RUN: relattn-opt %s --convert-relattn-to-linalg --canonicalize | FileCheck %s --check-prefix=LINALG
// RUN: relattn-opt %s --relattn-to-cpu | mlir-translate --mlir-to-llvmir | FileCheck %s --check-prefix=LLVM

// OP: relattn.attention ins(
// OP-SAME: bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>

// The bias is a strip of 2 * 512 - 1 numbers per head.
// LINALG: tensor.empty() : tensor<8x1023xf32>
// LINALG-NOT: relattn

// LLVM: define void @_mlir_ciface_t5_encoder(

func.func @t5_encoder(%query: tensor<1x8x512x64xf32>, %key: tensor<1x8x512x64xf32>,
    %value: tensor<1x8x512x64xf32>, %table: tensor<32x8xf32>)
    -> tensor<1x8x512x64xf32> attributes {llvm.emit_c_interface} {
  %init = tensor.empty() : tensor<1x8x512x64xf32>
  %out = relattn.attention
      ins(%query, %key, %value : tensor<1x8x512x64xf32>, tensor<1x8x512x64xf32>,
          tensor<1x8x512x64xf32>)
      bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>,
           %table : tensor<32x8xf32>)
      outs(%init : tensor<1x8x512x64xf32>)
  return %out : tensor<1x8x512x64xf32>
}
