"""Pay-ins: what payment providers say they collected for a wallet, gave back or had taken back (walletflow, Pay-in)."""
