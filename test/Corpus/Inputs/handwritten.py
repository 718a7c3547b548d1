# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes attention in plain linalg with one spelling choice per keyword.

Rank 3 ([heads, sequence, depth]) unless `rank=2`.  Every choice below is seen
in real IR (other frontends, fused or generalised forms of what they emit).
"""
import math

THRESHOLDS = [12, 16, 23, 32, 46, 64, 91]


def body_bucket_log(me, nb, md, bidirectional, side):
    """Bucket chain inside one generic body; %i query, %j key, i32."""
    t = """      %i = linalg.index {qd} : index
      %j = linalg.index {kd} : index
      %ii = arith.index_cast %i : index to i32
      %ji = arith.index_cast %j : index to i32
      %off = arith.subi %ji, %ii : i32
"""
    if bidirectional:
        t += f"""      %pos = arith.cmpi sgt, %off, %zero_i32 : i32
      %half = arith.constant {nb} : i32
      %side = arith.select %pos, %half, %zero_i32 : i32
      %dist = math.absi %off : i32
"""
    else:
        t += """      %neg = arith.minsi %off, %zero_i32 : i32
      %dist = arith.subi %zero_i32, %neg : i32
"""
    t += f"""      %me = arith.constant {me} : i32
      %small = arith.cmpi slt, %dist, %me : i32
      %distf = arith.sitofp %dist : i32 to f32
      %mef = arith.constant {float(me)!r} : f32
      %ratio = arith.divf %distf, %mef : f32
      %log = math.log %ratio : f32
      %base = arith.constant {math.log(md / me)!r} : f32
      %norm = arith.divf %log, %base : f32
      %span = arith.constant {float(nb - me)!r} : f32
      %scaled = arith.mulf %norm, %span : f32
      %trunc = arith.fptosi %scaled : f32 to i32
      %large = arith.addi %trunc, %me : i32
      %last = arith.constant {nb - 1} : i32
      %capped = arith.minsi %large, %last : i32
      %inner = arith.select %small, %dist, %capped : i32
"""
    t += ("      %bucket = arith.addi %inner, %side : i32\n" if bidirectional
          else "      %bucket = arith.addi %inner, %zero_i32 : i32\n")
    return t


def body_bucket_thresholds():
    """The same function for (32, 128) bidirectional without a logarithm."""
    t = """      %i = linalg.index {qd} : index
      %j = linalg.index {kd} : index
      %offi = arith.subi %j, %i : index
      %off = arith.index_cast %offi : index to i32
      %z32 = arith.constant 0 : i32
      %neg = arith.subi %z32, %off : i32
      %dist = arith.maxsi %off, %neg : i32
      %eight = arith.constant 8 : i32
      %b0 = arith.minsi %dist, %eight : i32
"""
    prev = "%b0"
    for n, at in enumerate(THRESHOLDS):
        t += (f"      %t{n} = arith.constant {at} : i32\n"
              f"      %c{n} = arith.cmpi sge, %dist, %t{n} : i32\n"
              f"      %e{n} = arith.extui %c{n} : i1 to i32\n"
              f"      %b{n + 1} = arith.addi {prev}, %e{n} : i32\n")
        prev = f"%b{n + 1}"
    t += (f"      %pos = arith.cmpi sgt, %off, %z32 : i32\n"
          f"      %half = arith.constant 16 : i32\n"
          f"      %side = arith.select %pos, %half, %z32 : i32\n"
          f"      %bucket = arith.addi {prev}, %side : i32\n")
    return t


def attention(heads=4, q=32, k=32, d=16, dv=None, rank=3, qk="transpose",
              bias="arg", bias_first=False, add="named", mask=None,
              scale=None, scale_at="scores", softmax="many", max_op="maximumf",
              max_init="0xFF800000", sum_init="0.000000e+00", exp="exp",
              norm="div", nb=16, md=128, bidirectional=True, table_t=False,
              extra_result=None, me=None):
    dv = dv or d
    three = rank == 3
    hb = [heads] if three else []
    ty = lambda *s, e="f32": "tensor<" + "x".join([str(x) for x in
                                                   hb + list(s)] + [e]) + ">"
    ident = "(d0, d1, d2)" if three else "(d0, d1)"
    row = "(d0, d1)" if three else "(d0)"
    full_map = f"affine_map<{ident} -> {ident}>"
    row_map = f"affine_map<{ident} -> {row}>"
    par = ", ".join(['"parallel"'] * (3 if three else 2))
    red = ", ".join(['"parallel"'] * (2 if three else 1) + ['"reduction"'])
    mm = "batch_matmul" if three else "matmul"
    S, R = ty(q, k), ty(q)
    args = [f"%query: {ty(q, d)}", f"%key: {ty(k, d)}", f"%value: {ty(k, dv)}"]
    b = ""

    def generic(out, ins, outs, body, maps, iters=par, res=None):
        i = ", ".join(n for n, _ in ins)
        it = ", ".join(t for _, t in ins)
        o = ", ".join(n for n, _ in outs)
        ot = ", ".join(t for _, t in outs)
        rt = res or ot
        names = [f"%a{n}" for n in range(len(ins))]
        bb = ", ".join(f"{n}: {t.rstrip('>').split('x')[-1]}"
                       for n, (_, t) in zip(names, ins))
        bo = ", ".join(f"%o{n}: {t.rstrip('>').split('x')[-1]}"
                       for n, (_, t) in enumerate(outs))
        insx = f" ins({i} : {it})" if ins else ""
        args_ = ", ".join(x for x in (bb, bo) if x)
        return (f"    {out} = linalg.generic {{indexing_maps = ["
                + ", ".join(maps) + f"], iterator_types = [{iters}]}}{insx} "
                f"outs({o} : {ot}) {{\n    ^bb0({args_}):\n{body}"
                f"    }} -> {rt}\n")

    b += "    %zero = arith.constant 0.000000e+00 : f32\n"
    b += "    %zero_i32 = arith.constant 0 : i32\n"
    b += f"    %scores_empty = tensor.empty() : {S}\n"
    # Bias.
    u = None
    if bias == "arg":
        args.append(f"%bias: {S}")
        u = "%bias"
    elif bias in ("log", "thresholds", "wrong"):
        tt = (f"tensor<{heads}x{2 * nb}xf32>" if table_t else
              f"tensor<{2 * nb}x{heads}xf32>") if bidirectional else \
            f"tensor<{nb}x{heads}xf32>"
        if not three:
            tt = f"tensor<{2 * nb}xf32>"
        args.append(f"%table: {tt}")
        body = (body_bucket_thresholds() if bias == "thresholds" else
                body_bucket_log(me or nb // 2, nb, md, bidirectional, nb))
        body = body.replace("{qd}", str(rank - 2)).replace("{kd}",
                                                           str(rank - 1))
        body += "      %row = arith.index_cast %bucket : i32 to index\n"
        if three:
            body += "      %head = linalg.index 0 : index\n"
            at = "%head, %row" if table_t else "%row, %head"
        else:
            at = "%row"
        body += (f"      %entry = tensor.extract %table[{at}] : {tt}\n"
                 "      linalg.yield %entry : f32\n")
        b += generic("%bias", [], [("%scores_empty", S)], body, [full_map])
        u = "%bias"
    # Scores.
    query = "%query"
    if scale and scale_at == "query":
        b += f"    %scale = arith.constant {scale!r} : f32\n"
        b += f"    %qe = tensor.empty() : {ty(q, d)}\n"
        b += generic("%qs", [("%query", ty(q, d))], [("%qe", ty(q, d))],
                     "      %m = arith.mulf %a0, %scale : f32\n"
                     "      linalg.yield %m : f32\n", [full_map] * 2)
        query = "%qs"
    if bias == "init" or bias == "arg-init":
        args.append(f"%bias: {S}")
        init = "%bias"
        u = None
    else:
        b += (f"    %scores_zero = linalg.fill ins(%zero : f32) "
              f"outs(%scores_empty : {S}) -> {S}\n")
        init = "%scores_zero"
    if qk == "transpose":
        perm = "[0, 2, 1]" if three else "[1, 0]"
        b += f"    %kte = tensor.empty() : {ty(d, k)}\n"
        b += (f"    %kt = linalg.transpose ins(%key : {ty(k, d)}) "
              f"outs(%kte : {ty(d, k)}) permutation = {perm}\n")
        b += (f"    %s0 = linalg.{mm} ins({query}, %kt : {ty(q, d)}, "
              f"{ty(d, k)}) outs({init} : {S}) -> {S}\n")
    elif qk == "maps":
        m = ("affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) "
             "-> (b, n, k)>, affine_map<(b, m, n, k) -> (b, m, n)>" if three
             else "affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> "
             "(n, k)>, affine_map<(m, n, k) -> (m, n)>")
        b += (f"    %s0 = linalg.{mm} indexing_maps = [{m}] ins({query}, %key"
              f" : {ty(q, d)}, {ty(k, d)}) outs({init} : {S}) -> {S}\n")
    elif qk == "generic-key-first":
        m = ["affine_map<(b, n, m, k) -> (b, n, k)>",
             "affine_map<(b, n, m, k) -> (b, m, k)>",
             "affine_map<(b, n, m, k) -> (b, m, n)>"]
        b += generic("%s0", [("%key", ty(k, d)), (query, ty(q, d))],
                     [(init, S)], "      %m = arith.mulf %a1, %a0 : f32\n"
                     "      %s = arith.addf %m, %o0 : f32\n"
                     "      linalg.yield %s : f32\n", m,
                     '"parallel", "parallel", "parallel", "reduction"')
    s = "%s0"

    def ew(out, ins, body):
        return generic(out, [(n, S) for n in ins], [("%scores_empty", S)],
                       body, [full_map] * (len(ins) + 1))
    if scale and scale_at == "scores":
        b += f"    %scale = arith.constant {scale!r} : f32\n"
        b += ew("%s1", [s], "      %m = arith.mulf %a0, %scale : f32\n"
                "      linalg.yield %m : f32\n")
        s = "%s1"
    x, y = (u, s) if bias_first else (s, u)
    if mask == "arg":
        args.append(f"%mask: tensor<{q}x{k}xf32>")
        mmap = f"affine_map<{ident} -> {'(d1, d2)' if three else ident}>"
    if u and mask == "arg" and add == "two-in-one":
        b += generic("%s2", [(s, S), (u, S), ("%mask", f"tensor<{q}x{k}xf32>")],
                     [("%scores_empty", S)],
                     "      %m = arith.addf %a0, %a1 : f32\n"
                     "      %n = arith.addf %m, %a2 : f32\n"
                     "      linalg.yield %n : f32\n",
                     [full_map, full_map, mmap, full_map])
        s = "%s2"
    elif u:
        if add == "named":
            b += (f"    %s2 = linalg.add ins({x}, {y} : {S}, {S}) "
                  f"outs(%scores_empty : {S}) -> {S}\n")
        else:
            b += ew("%s2", [x, y], "      %m = arith.addf %a0, %a1 : f32\n"
                    "      linalg.yield %m : f32\n")
        s = "%s2"
        if mask == "arg":
            b += f"    %mb = linalg.broadcast ins(%mask : tensor<{q}x{k}xf32>)"
            b += f" outs(%scores_empty : {S}) dimensions = [0]\n"
            b += (f"    %s3 = linalg.add ins({s}, %mb : {S}, {S}) "
                  f"outs(%scores_empty : {S}) -> {S}\n")
            s = "%s3"
    if mask == "index":
        b += f"    %ninf = arith.constant 0xFF800000 : f32\n"
        b += ew("%s3", [s], f"      %i = linalg.index {rank - 2} : index\n"
                f"      %j = linalg.index {rank - 1} : index\n"
                "      %c = arith.cmpi sle, %j, %i : index\n"
                "      %m = arith.select %c, %a0, %ninf : f32\n"
                "      linalg.yield %m : f32\n")
        s = "%s3"
    if scale and scale_at == "after":
        b += f"    %scale = arith.constant {scale!r} : f32\n"
        b += ew("%s4", [s], "      %m = arith.mulf %a0, %scale : f32\n"
                "      linalg.yield %m : f32\n")
        s = "%s4"
    # Softmax.
    O = ty(q, dv)
    b += f"    %oe = tensor.empty() : {O}\n"
    b += f"    %oz = linalg.fill ins(%zero : f32) outs(%oe : {O}) -> {O}\n"
    if softmax == "named":
        b += (f"    %p = linalg.softmax dimension({rank - 1}) ins({s} : {S}) "
              f"outs(%scores_empty : {S}) -> {S}\n")
        p = "%p"
    else:
        b += f"    %max_init = arith.constant {max_init} : f32\n"
        b += f"    %re = tensor.empty() : {R}\n"
        b += (f"    %mi = linalg.fill ins(%max_init : f32) outs(%re : {R}) -> "
              f"{R}\n")
        mx = {"maximumf": "      %m = arith.maximumf %a0, %o0 : f32\n",
              "maxnumf": "      %m = arith.maxnumf %o0, %a0 : f32\n",
              "select": "      %c = arith.cmpf ogt, %a0, %o0 : f32\n"
                        "      %m = arith.select %c, %a0, %o0 : f32\n"}[max_op]
        b += generic("%max", [(s, S)], [("%mi", R)], mx +
                     "      linalg.yield %m : f32\n", [full_map, row_map], red)
        if exp == "exp":
            e = ("      %d = arith.subf %a0, %a1 : f32\n"
                 "      %e = math.exp %d : f32\n")
        else:
            b += "    %log2e = arith.constant 1.44269502 : f32\n"
            e = ("      %d = arith.subf %a0, %a1 : f32\n"
                 "      %f = arith.mulf %d, %log2e : f32\n"
                 "      %e = math.exp2 %f : f32\n")
        b += generic("%e", [(s, S), ("%max", R)], [("%scores_empty", S)],
                     e + "      linalg.yield %e : f32\n",
                     [full_map, row_map, full_map])
        b += f"    %sum_init = arith.constant {sum_init} : f32\n"
        b += (f"    %si = linalg.fill ins(%sum_init : f32) outs(%re : {R}) -> "
              f"{R}\n")
        b += generic("%sum", [("%e", S)], [("%si", R)],
                     "      %m = arith.addf %a0, %o0 : f32\n"
                     "      linalg.yield %m : f32\n", [full_map, row_map], red)
        if norm == "recip":
            b += "    %one = arith.constant 1.000000e+00 : f32\n"
            b += generic("%r", [("%sum", R)], [("%re", R)],
                         "      %m = arith.divf %one, %a0 : f32\n"
                         "      linalg.yield %m : f32\n",
                         [f"affine_map<{row} -> {row}>"] * 2,
                         ", ".join(['"parallel"'] * (rank - 1)))
            b += generic("%p", [("%e", S), ("%r", R)], [("%scores_empty", S)],
                         "      %m = arith.mulf %a0, %a1 : f32\n"
                         "      linalg.yield %m : f32\n",
                         [full_map, row_map, full_map])
            p = "%p"
        elif norm == "div":
            b += generic("%p", [("%e", S), ("%sum", R)],
                         [("%scores_empty", S)],
                         "      %m = arith.divf %a0, %a1 : f32\n"
                         "      linalg.yield %m : f32\n",
                         [full_map, row_map, full_map])
            p = "%p"
        else:
            p = "%e"
    b += (f"    %out = linalg.{mm} ins({p}, %value : {S}, {ty(k, dv)}) "
          f"outs(%oz : {O}) -> {O}\n")
    out = "%out"
    if norm == "deferred":
        b += generic("%out2", [("%out", O), ("%sum", R)], [("%oe", O)],
                     "      %m = arith.divf %a0, %a1 : f32\n"
                     "      linalg.yield %m : f32\n",
                     [full_map, row_map, full_map])
        out = "%out2"
    res, ret = O, f"    return {out} : {O}\n"
    if extra_result:
        et = {"%p": S, "%max": R, "%sum": R, "%e": S}.get(extra_result, S)
        name = s if extra_result == "scores" else extra_result
        res, ret = f"({O}, {et})", f"    return {out}, {name} : {O}, {et}\n"
    return (f"func.func @main({', '.join(args)}) -> {res} {{\n{b}{ret}}}\n")
