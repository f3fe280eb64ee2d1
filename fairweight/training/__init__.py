"""From augmented rows to a trained model."""
