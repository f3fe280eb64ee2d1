"""The HTML report and its notebooks."""
