"""From a trained model to a smaller one: pruned, factorized, distilled, encoded or quantized."""
