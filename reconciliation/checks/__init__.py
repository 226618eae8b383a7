"""One file per exception type. A file here with a `CHECK` is a check of every close: adding one is adding a file."""
