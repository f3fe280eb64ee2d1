"""From an ONNX file to one with fewer weights or trees; nothing is trained."""
