// RUN: relattn-opt %s --relattn-balance-tiles --canonicalize --split-input-file | FileCheck %s

func.func private @relattn_tile(index, index)

// The threads of a region take iterations from a counter, the last loop fastest,
// which lies on a line of its own, one for all turns of a loop around.
// CHECK-LABEL: func @two_loops
// CHECK: %[[COUNTER:.*]] = memref.alloca() {alignment = 64 : i64} : memref<8xi64>
// CHECK: scf.for
// CHECK:   memref.store %c0_i64, %[[COUNTER]][%c0]
// CHECK:   %[[LENGTH:.*]] = arith.ceildivsi %{{.*}}, %c3
// CHECK:   %[[N:.*]] = arith.maxsi %[[LENGTH]], %c0
// CHECK:   %[[ALL:.*]] = arith.muli %[[N]], %c4
// CHECK:   %[[COUNT:.*]] = arith.index_cast %[[ALL]]
// CHECK:   omp.parallel {
// CHECK-NEXT: cf.br ^[[TAKE:bb[0-9]+]]
// CHECK:   ^[[TAKE]]:
// CHECK:     %[[TAKEN:.*]] = memref.atomic_rmw addi %c1_i64, %[[COUNTER]][%c0]
// CHECK:     %[[THERE:.*]] = arith.cmpi slt, %[[TAKEN]], %[[COUNT]] : i64
// CHECK:     cf.cond_br %[[THERE]], ^[[ITERATION:bb[0-9]+]], ^[[EXIT:bb[0-9]+]]
// CHECK:   ^[[ITERATION]]:
// CHECK:     %[[NUMBER:.*]] = arith.index_cast %[[TAKEN]] : i64 to index
// CHECK:     %[[J:.*]] = arith.remsi %[[NUMBER]], %c4
// CHECK:     %[[REST:.*]] = arith.divsi %[[NUMBER]], %c4
// CHECK:     %[[STEPS:.*]] = arith.muli %[[REST]], %c3
// CHECK:     %[[I:.*]] = arith.addi %[[STEPS]], %c2
// CHECK:     func.call @relattn_tile(%[[I]], %[[J]])
// CHECK:     cf.br ^[[TAKE]]
// CHECK:   ^[[EXIT]]:
// CHECK-NEXT: omp.terminator
// CHECK-NOT: omp.wsloop
func.func @two_loops(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  scf.for %turn = %c0 to %n step %c1 {
    omp.parallel {
      omp.wsloop {
        omp.loop_nest (%i, %j) : index = (%c2, %c0) to (%n, %c4) step (%c3, %c1) collapse(2) {
          func.call @relattn_tile(%i, %j) : (index, index) -> ()
          omp.yield
        }
      }
      omp.terminator
    }
  }
  return
}

// -----

// What reaches no tile stays as it is.
func.func private @somebody(index)
// CHECK-LABEL: func @no_tile
// CHECK: omp.wsloop
// CHECK-NOT: memref.atomic_rmw
// CHECK: return
func.func @no_tile(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : index = (%c0) to (%n) step (%c1) {
        func.call @somebody(%i) : (index) -> ()
        omp.yield
      }
    }
    omp.terminator
  }
  return
}

// -----

// Each thread of a region around has a counter of its own.
func.func private @relattn_tile(index)
// CHECK-LABEL: func @nested
// CHECK: omp.parallel {
// CHECK: memref.alloca()
// CHECK: omp.parallel {
// CHECK: memref.atomic_rmw
func.func @nested(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%outer) : index = (%c0) to (%n) step (%c1) {
        omp.parallel {
          omp.wsloop {
            omp.loop_nest (%i) : index = (%c0) to (%n) step (%c1) {
              func.call @relattn_tile(%i) : (index) -> ()
              omp.yield
            }
          }
          omp.terminator
        }
        omp.yield
      }
    }
    omp.terminator
  }
  return
}

// -----

// Iterations of another parallel loop would share one counter.
func.func private @relattn_tile(index)
// CHECK-LABEL: func @no_shared_counter
// CHECK-NOT: memref.atomic_rmw
// CHECK: return
func.func @no_shared_counter(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%outer) = (%c0) to (%n) step (%c1) {
    omp.parallel {
      omp.wsloop {
        omp.loop_nest (%i) : index = (%c0) to (%n) step (%c1) {
          func.call @relattn_tile(%i) : (index) -> ()
          omp.yield
        }
      }
      omp.terminator
    }
  }
  return
}

// -----

// Regions that hold more than the loop, and loops with a reduction, an inclusive
// bound, a schedule, or bounds of another type, stay as they are.
func.func private @relattn_tile(index)
omp.declare_reduction @sum : i64 init {
^bb0(%x: i64):
  %0 = arith.constant 0 : i64
  omp.yield(%0 : i64)
} combiner {
^bb0(%x: i64, %y: i64):
  %0 = arith.addi %x, %y : i64
  omp.yield(%0 : i64)
}
// CHECK-LABEL: func @no_other_work
// CHECK-COUNT-5: omp.wsloop
// CHECK-NOT: memref.atomic_rmw
// CHECK: return
func.func @no_other_work(%n: index, %short: i32, %total: !llvm.ptr) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : index = (%c0) to (%n) step (%c1) {
        func.call @relattn_tile(%i) : (index) -> ()
        omp.yield
      }
    }
    omp.barrier
    omp.terminator
  }
  omp.parallel {
    omp.wsloop reduction(@sum %total -> %part : !llvm.ptr) {
      omp.loop_nest (%i) : index = (%c0) to (%n) step (%c1) {
        func.call @relattn_tile(%i) : (index) -> ()
        omp.yield
      }
    }
    omp.terminator
  }
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : index = (%c0) to (%n) inclusive step (%c1) {
        func.call @relattn_tile(%i) : (index) -> ()
        omp.yield
      }
    }
    omp.terminator
  }
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : i32 = (%short) to (%short) step (%short) {
        %wide = arith.index_cast %i : i32 to index
        func.call @relattn_tile(%wide) : (index) -> ()
        omp.yield
      }
    }
    omp.terminator
  }
  omp.parallel {
    omp.wsloop schedule(static) {
      omp.loop_nest (%i) : index = (%c0) to (%n) step (%c1) {
        func.call @relattn_tile(%i) : (index) -> ()
        omp.yield
      }
    }
    omp.terminator
  }
  return
}
