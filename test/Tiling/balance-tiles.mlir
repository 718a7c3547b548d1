// RUN: relattn-opt %s --relattn-balance-tiles --canonicalize --split-input-file | FileCheck %s

func.func private @relattn_tile(index, index)

// The threads of a region take iterations from counters on lines of their own,
// one for each range, their own range first, the last loop fastest; a loop around
// has them for all turns.
// CHECK-DAG: func.func private @omp_get_thread_num() -> i32
// CHECK-DAG: func.func private @omp_get_num_threads() -> i32
// CHECK-LABEL: func @two_loops
// CHECK: %[[COUNTERS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<64xi64>
// CHECK: scf.for
// CHECK:   memref.store %c0_i64, %[[COUNTERS]][%c0]
// CHECK:   memref.store %c0_i64, %[[COUNTERS]][%c8]
// CHECK:   memref.store %c0_i64, %[[COUNTERS]][%c56]
// CHECK:   %[[LENGTH:.*]] = arith.ceildivsi %{{.*}}, %c3
// CHECK:   %[[N:.*]] = arith.maxsi %[[LENGTH]], %c0
// CHECK:   %[[COUNT:.*]] = arith.muli %[[N]], %c4
// CHECK:   omp.parallel {
// CHECK:     %[[SELF32:.*]] = func.call @omp_get_thread_num()
// CHECK:     %[[SELF:.*]] = arith.index_cast %[[SELF32]]
// CHECK:     %[[ALL32:.*]] = func.call @omp_get_num_threads()
// CHECK:     %[[ALL:.*]] = arith.index_cast %[[ALL32]]
// CHECK:     %[[RANGES:.*]] = arith.minsi %[[ALL]], %c8
// CHECK:     %[[SCALED:.*]] = arith.muli %[[SELF]], %[[RANGES]]
// CHECK:     %[[FIRST:.*]] = arith.divsi %[[SCALED]], %[[ALL]]
// CHECK:     cf.br ^[[RANGE:bb[0-9]+]](%c0 : index)
// CHECK:   ^[[RANGE]](%[[TURN:.*]]: index):
// CHECK:     %[[MORE:.*]] = arith.cmpi slt, %[[TURN]], %[[RANGES]]
// CHECK:     cf.cond_br %[[MORE]], ^[[NEXT:bb[0-9]+]], ^[[EXIT:bb[0-9]+]]
// CHECK:   ^[[NEXT]]:
// CHECK:     %[[PLACE:.*]] = arith.addi %[[FIRST]], %[[TURN]]
// CHECK:     %[[OWN:.*]] = arith.remsi %[[PLACE]], %[[RANGES]]
// CHECK:     %[[SHARE:.*]] = arith.muli %[[COUNT]], %[[OWN]]
// CHECK:     %[[BEGIN:.*]] = arith.divsi %[[SHARE]], %[[RANGES]]
// CHECK:     %[[PAST:.*]] = arith.addi %[[OWN]], %c1
// CHECK:     %[[SHARES:.*]] = arith.muli %[[COUNT]], %[[PAST]]
// CHECK:     %[[END:.*]] = arith.divsi %[[SHARES]], %[[RANGES]]
// CHECK:     %[[LINE:.*]] = arith.muli %[[OWN]], %c8
// CHECK:     cf.br ^[[TAKE:bb[0-9]+]]
// CHECK:   ^[[TAKE]]:
// CHECK:     %[[TAKEN64:.*]] = memref.atomic_rmw addi %c1_i64, %[[COUNTERS]][%[[LINE]]]
// CHECK:     %[[TAKEN:.*]] = arith.index_cast %[[TAKEN64]]
// CHECK:     %[[NUMBER:.*]] = arith.addi %[[BEGIN]], %[[TAKEN]]
// CHECK:     %[[THERE:.*]] = arith.cmpi slt, %[[NUMBER]], %[[END]]
// CHECK:     %[[AGAIN:.*]] = arith.addi %[[TURN]], %c1
// CHECK:     cf.cond_br %[[THERE]], ^[[ITERATION:bb[0-9]+]], ^[[RANGE]](%[[AGAIN]] : index)
// CHECK:   ^[[ITERATION]]:
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

// -----

// Somebody else's function of the run-time library's name.
func.func private @relattn_tile(index)
func.func private @omp_get_thread_num() -> i64
// CHECK-LABEL: func @other_function
// CHECK: omp.wsloop
// CHECK-NOT: memref.atomic_rmw
// CHECK: return
func.func @other_function(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : index = (%c0) to (%n) step (%c1) {
        func.call @relattn_tile(%i) : (index) -> ()
        omp.yield
      }
    }
    omp.terminator
  }
  return
}

// -----

func.func private @relattn_tile(index)
func.func @omp_get_num_threads() -> i32 {
  %0 = arith.constant 1 : i32
  return %0 : i32
}
// CHECK-LABEL: func @own_function
// CHECK: omp.wsloop
// CHECK-NOT: memref.atomic_rmw
// CHECK: return
// CHECK-NOT: omp_get_thread_num
func.func @own_function(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : index = (%c0) to (%n) step (%c1) {
        func.call @relattn_tile(%i) : (index) -> ()
        omp.yield
      }
    }
    omp.terminator
  }
  return
}

// -----

// A module inside is a pass's own.
module {
  module {
    func.func private @relattn_tile(index)
    // CHECK-LABEL: func @in_another_module
    // CHECK: omp.wsloop
    // CHECK-NOT: memref.atomic_rmw
    // CHECK: return
    func.func @in_another_module(%n: index) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      omp.parallel {
        omp.wsloop {
          omp.loop_nest (%i) : index = (%c0) to (%n) step (%c1) {
            func.call @relattn_tile(%i) : (index) -> ()
            omp.yield
          }
        }
        omp.terminator
      }
      return
    }
  }
}
