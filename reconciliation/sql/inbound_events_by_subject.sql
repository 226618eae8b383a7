-- Trace finds what came in about an order, trade or operation by the ids that it names.
CREATE INDEX inbound_event_by_subject ON webhooks_inboundevent USING gin (subjects)
