"""The chart of accounts, the GL mappings and the posting templates of the event types, each in versions."""
