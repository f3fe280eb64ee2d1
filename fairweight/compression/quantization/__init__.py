"""From an ONNX file to one with narrower weights or integer products."""
