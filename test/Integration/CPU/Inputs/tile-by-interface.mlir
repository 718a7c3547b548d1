// Tiles attention by upstream's tiling, sizes by the number of its loops.
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %one = transform.structured.match ops{["relattn.attention"]} attributes {loops = 1 : i64} in %root : (!transform.any_op) -> !transform.any_op
    %1, %loop_1 = transform.structured.tile_using_forall %one tile_sizes [3] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %two = transform.structured.match ops{["relattn.attention"]} attributes {loops = 2 : i64} in %root : (!transform.any_op) -> !transform.any_op
    %2, %loop_2 = transform.structured.tile_using_forall %two tile_sizes [2, 5] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %three = transform.structured.match ops{["relattn.attention"]} attributes {loops = 3 : i64} in %root : (!transform.any_op) -> !transform.any_op
    %3, %loop_3 = transform.structured.tile_using_forall %three tile_sizes [1, 2, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
