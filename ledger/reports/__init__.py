"""Reports of the book, from postings alone, pending and posted apart: one set-based statement each."""
