"""From predictions to metrics, comparisons, summary tables and the decision."""
