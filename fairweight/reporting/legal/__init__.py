"""Drafts of documents that laws, journals and conferences ask for, filled from the results of a study."""
