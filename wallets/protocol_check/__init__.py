"""Whether a partner's wallet service obeys the protocol (docs/wallet-protocol.yaml), tried from outside."""
