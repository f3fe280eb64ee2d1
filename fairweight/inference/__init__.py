"""From a model to the ONNX file that ships, its predictions and its latency."""
