"""One file per artifact. A file here with an `ARTIFACT` is part of every close: adding one is adding a file."""
