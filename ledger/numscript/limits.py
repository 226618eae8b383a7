"""How large a script may be. There are no loops in the language, so these also bound an execution."""

MAXIMUM_SOURCE = 64 * 1024
"""Characters of a script."""

MAXIMUM_DEPTH = 100
"""Blocks within blocks, parentheses within parentheses, operators in one chain."""

MAXIMUM_STEPS = 10_000
"""Sources, destinations, clauses and expressions of a script: an execution goes through each at most once."""

MAXIMUM_DIGITS = 78
"""Digits of a number: as many as 256 bits need, twice what the ledger holds."""

MAXIMUM_DENOMINATOR_BITS = 4096
"""Bits of the common denominator of a split."""

MAXIMUM_SCALE = 36
"""Decimals of an asset that takes part in scaling."""

MAXIMUM_TEXT = 4096
"""Characters of a text given as a variable."""

MAXIMUM_ADDRESS = 512
"""Characters of an account's address."""
