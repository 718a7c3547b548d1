// A T5 layer in bf16, for a GPU.
// RUN: relattn-opt %s --relattn-to-gpu='chip=sm_80 format=llvm' | FileCheck %s
// CHECK: llvm.func @t5
// CHECK: gpu.launch_func
// CHECK: gpu.binary
func.func @t5(%query: tensor<1x8x?x64xbf16>, %key: tensor<1x8x?x64xbf16>,
    %value: tensor<1x8x?x64xbf16>, %table: tensor<32x8xf32>,
    %init: tensor<1x8x?x64xbf16>) -> tensor<1x8x?x64xbf16>
    attributes {llvm.emit_c_interface} {
  %out = relattn.attention
      ins(%query, %key, %value : tensor<1x8x?x64xbf16>, tensor<1x8x?x64xbf16>,
          tensor<1x8x?x64xbf16>)
      bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>,
           %table : tensor<32x8xf32>)
      outs(%init : tensor<1x8x?x64xbf16>)
  return %out : tensor<1x8x?x64xbf16>
}
