"""Workflow Run RO-Crates: writing, checking, reproducing."""
