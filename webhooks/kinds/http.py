"""Deliveries as HTTP requests, as Standard Webhooks says."""

from django.conf import settings

from webhooks import destinations, outbound
from webhooks.delivery_kinds import SignedMessage
from webhooks.outbound import OutboundResponse


class HttpRequests:
    def refuse_unless_possible(self, url: str, *, environment: str) -> None:
        """Look at the URL's shape; its address is judged at each connection, since names change where they lead."""
        destination = destinations.parse(url)
        if not destinations.permit(destination, environment=environment, allowed=settings.OUTBOUND_ALLOW):
            destinations.refuse_unless_public(destination.addresses)

    def send(self, message: SignedMessage) -> OutboundResponse:
        return outbound.send(
            outbound.OutboundRequest(
                method="POST",
                url=message.url,
                environment=message.environment,
                headers={"content-type": "application/json", **message.headers},
                body=message.body,
                timeout=message.timeout,
                max_response_bytes=message.max_response_bytes,
            )
        )
