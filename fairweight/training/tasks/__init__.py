"""Kinds of task: forms of rows, loss, metrics, output of the shipped file."""
