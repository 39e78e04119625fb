"""Declarations of known corpora in their original layouts, one module per corpus."""
