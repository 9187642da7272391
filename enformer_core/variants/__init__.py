"""Variants: read from files, placed on a genome, each allele with a status."""
