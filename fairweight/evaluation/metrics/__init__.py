"""Families of metrics: arrays in, metric rows out."""
