"""REST of the book, for the house's own servers (scopes `ledger` and `finance`)."""
