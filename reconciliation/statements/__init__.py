"""Statements of banks and operators: read, dry-run, imported, matched."""
