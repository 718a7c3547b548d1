# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch modules and ONNX files as linalg on tensors, for relattn-raise.

    python -m relattn.importer model.onnx -o model.mlir
    python -m relattn.importer package.module:build -o model.mlir

`build()` returns (torch.nn.Module, example inputs). Needs torch-mlir; ONNX files
also need onnx. The text is what MLIR 22 parses, with one public function, `main`.
"""

import argparse
import importlib
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

ONNX_PIPELINE = (
    "--pass-pipeline=builtin.module(torch-onnx-to-torch-backend-pipeline,"
    "torch-backend-to-linalg-on-tensors-backend-pipeline)"
)


class ImporterError(RuntimeError):
    """A model cannot be imported; the message says why and names what is missing."""


def _require(module, package):
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImporterError(
            f"importing models needs the Python package {package}: pip install {package} ({error})"
        ) from error


def import_torch(module, inputs, dynamic_shapes=None, name="main"):
    """A `torch.nn.Module` as linalg on tensors.

    Args:
      module: the module, in eval mode; its parameters become constants.
      inputs: a tuple of example tensors.
      dynamic_shapes: as for `torch.export.export`.
      name: of the function.

    Returns:
      The text of an MLIR module with one function, marked for calls from C.

    Raises:
      ImporterError: torch-mlir is missing, or cannot export the module.
    """
    _require("torch", "torch")
    fx = _require("torch_mlir.fx", "torch-mlir")
    try:
        exported = fx.export_and_import(
            module.eval(), *inputs, output_type="linalg-on-tensors", func_name=name,
            dynamic_shapes=dynamic_shapes,
        )
    except Exception as error:  # torch.export and torch-mlir raise of every kind
        raise ImporterError(f"torch-mlir cannot export the module: {error}") from error
    return _callable_from_c(str(exported), name)


def import_onnx(path, name="main"):
    """An ONNX file as linalg on tensors; as `import_torch`."""
    _require("torch_mlir", "torch-mlir")
    _require("onnx", "onnx")
    path = Path(path)
    if not path.is_file():
        raise ImporterError(f"no file {path}")
    scripts = Path(sysconfig.get_path("scripts"))
    def run(command, text=None):
        process = subprocess.run(command, input=text, capture_output=True, text=True)
        if process.returncode:
            raise ImporterError(f"torch-mlir cannot import {path}: {process.stderr.strip()[-2000:]}")
        return process.stdout
    torch = run([str(scripts / "torch-mlir-import-onnx"), str(path)])
    text = run([str(scripts / "torch-mlir-opt"), ONNX_PIPELINE], torch)
    found = re.search(r"func\.func @([\w$.-]+)", text)
    if found and found.group(1) != name:
        text = re.sub(rf"@{re.escape(found.group(1))}\b", f"@{name}", text)
    return _callable_from_c(text, name)


def _callable_from_c(text, name):
    """Marks the function for `relattn.jit` and other callers."""
    head = re.search(rf"func\.func @{re.escape(name)}\(", text)
    if not head:
        raise ImporterError(f"the exported module has no function @{name}")
    # The body opens with the first brace after the signature at depth 0.
    depth, at = 0, head.end() - 1
    while True:
        character = text[at]
        depth += character in "(<["
        depth -= character in ")>]" and text[at - 1 : at + 1] != "->"
        if character == "{" and depth == 0:
            break
        at += 1
    before = text[:at].rstrip()
    if "attributes" in before[head.start():]:
        return text
    return f"{before} attributes {{llvm.emit_c_interface}} {text[at:]}"


def _build(spec):
    module_name, _, function = spec.partition(":")
    try:
        sys.path.insert(0, "")
        build = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ImporterError(f"cannot find {spec}: {error}") from error
    module, inputs = build()
    return import_torch(module, tuple(inputs))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="an ONNX file, or package.module:function")
    parser.add_argument("-o", "--output", default="-", help="where to write the text (default: standard output)")
    args = parser.parse_args(argv)
    try:
        is_onnx = args.model.endswith(".onnx") or ":" not in args.model
        text = import_onnx(args.model) if is_onnx else _build(args.model)
    except ImporterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if args.output == "-":
        sys.stdout.write(text)
    else:
        Path(args.output).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
