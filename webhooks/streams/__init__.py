"""Streams: an operator watches one order, from its present state to its end, as server-sent events.

`subjects` says what can be watched (the floors above register), `reading` asks the database, `hub` asks once for all open
streams, `wake` hears from the relay that there is something to ask for, `application` is the ASGI process.
"""
