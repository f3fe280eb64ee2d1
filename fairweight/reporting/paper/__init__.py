"""Figures, tables, numbers and drafts for an article."""
