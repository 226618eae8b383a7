"""REST: Django REST framework, its limits, and the OpenAPI document."""

from config.settings import environment

# A request's body in bytes, unless its route says otherwise.
REST_BODY_LIMIT = environment.whole_number("REST_BODY_LIMIT", default=64 * 1024, least=1024)

# Requests a second, and at once, that one API key may make of one web process; a rate of 0 does not throttle.
REST_RATE = environment.whole_number("REST_RATE", default=600)
REST_BURST = environment.whole_number("REST_BURST", default=1200, least=1)

# Streams of events: open at once in one process, of one key, and for how many seconds one may stay open.
STREAMS_AT_ONCE = environment.whole_number("STREAMS_AT_ONCE", default=1000, least=1)
STREAMS_PER_KEY = environment.whole_number("STREAMS_PER_KEY", default=500, least=1)
STREAM_SECONDS = environment.whole_number("STREAM_SECONDS", default=900, least=1)

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["ledger.controls.rest.bodies.StrictJsonParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["config.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_FILTER_BACKENDS": [],
    "DEFAULT_SCHEMA_CLASS": "ledger.controls.rest.openapi.Schema",
    "EXCEPTION_HANDLER": "ledger.controls.rest.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
    "UNICODE_JSON": True,
    "COMPACT_JSON": True,
    "STRICT_JSON": True,
}

_DESCRIPTION = """\
Quotes and orders against your own wallet service.

* **Keys.** `Authorization: Bearer hf_test_…`. A key belongs to one operator and one environment, has scopes, and may
  expire.
* **Changes** take an `Idempotency-Key`: one key is one effect and one answer. After a timeout send the same request
  with the same key; `GET /v1/operations/{idempotency_key}` shows what became of it.
* **Amounts** are decimal strings in major units: at most the asset's scale comes in, exactly its scale goes out.
* **Errors** are `application/problem+json` (RFC 9457); branch on `code`.
* **Lists** are pages, newest first: `?limit=50`, then `?after=` the `next` of the page before.
* **Every answer** carries `X-Request-Id`: yours, or one that was made.
* `manual_review` is an incident, not a success and not a failure: wait for the order's next webhook.
"""

SPECTACULAR_SETTINGS = {
    "TITLE": "Holdfast",
    "DESCRIPTION": _DESCRIPTION,
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "ledger.controls.rest.openapi.complete",
        "webhooks.inbox_document.describe",
        "config.document_examples.add",
    ],
    "PATH_CONVERTER_OVERRIDES": {
        "reference": {"type": "string", "pattern": "^[a-z]{2,4}_[0-9a-z]{26}$"},
        "code": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,40}$"},
        "key": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,255}$"},
        "address": {"type": "string", "pattern": "^@?[A-Za-z0-9_.-]+(:[A-Za-z0-9_.@-]+)*$", "maxLength": 255},
    },
    "ENUM_NAME_OVERRIDES": {
        "Side": "orders.models.Quote.Side",
        "OrderStatus": "orders.models.Order.State",
        "TradeStatus": "orders.models.Trade.State",
        "QuoteState": "orders.models.Quote.State",
        "QuoteStatus": "orders.shapes.QUOTE_STATUSES",
        "PayInKind": "orders.models.PayIn.Kind",
        "WalletKind": "wallets.models.Wallet.Kind",
        "DeliveryState": "webhooks.models.Delivery.State",
        "AccountSide": "ledger.rest.shapes.SIDES",
        "HoldState": "ledger.models.journal.HoldState",
        "PostingKind": "ledger.models.journal.PostingKind",
        "WalletStatus": "wallets.wallet_views.STATUSES",
        "ReviewCaseStatus": "orders.models.ReviewCase.State",
        "IntentChannel": "orders.models.Intent.Channel",
        "IntentKind": "orders.models.Intent.Kind",
        "IntentStatus": "orders.intent_shapes.STATUSES",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
