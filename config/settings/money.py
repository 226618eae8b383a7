"""What the flows of money read: the close, the outside world and the sandbox."""

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured

from config.settings import environment
from config.settings.core import BASE_DIR

# The zone of a book's business date, and how long after its end a date can be signed, in seconds.
CLOSE_ZONE = environment.text("CLOSE_ZONE", default="UTC")
try:
    ZoneInfo(CLOSE_ZONE)
except (ZoneInfoNotFoundError, ValueError):
    raise ImproperlyConfigured(f"CLOSE_ZONE is no time zone: {CLOSE_ZONE!r}") from None
CLOSE_GRACE = environment.whole_number("CLOSE_GRACE", default=3600)
# A close that is not signed so many seconds after it could be is late.
CLOSE_SIGNED_WITHIN = environment.whole_number("CLOSE_SIGNED_WITHIN", default=172_800)

# Where closes leave their files: {environment}/{date}/ below it.
ARTIFACTS_ROOT = Path(environment.text("ARTIFACTS_ROOT", default=str(BASE_DIR / "var" / "closes")))

# Destinations that outbound calls of the test environment may reach though they are not public.
OUTBOUND_ALLOW = environment.destinations("OUTBOUND_ALLOW")

# Where the built-in counterparties answer.
SANDBOX_URL = environment.url("SANDBOX_URL", schemes=("http", "https"), default="http://127.0.0.1:8100")

# Where the built-in venue answers.
SANDBOX_VENUE_URL = environment.url("SANDBOX_VENUE_URL", schemes=("http", "https"), default="http://127.0.0.1:8101")

# The adapters towards money held elsewhere, by the name that a gateway's row says.
GATEWAYS = {
    "operator_wallet": "wallets.gateways.operator_wallet.HttpOperatorWallet",
    "http_venue": "orders.venues.http.HttpVenue",
    "http_promptpay": "wallets.gateways.promptpay.HttpPromptPay",
    "http_bank_transfer": "wallets.gateways.bank_transfer.HttpBankTransfer",
}

# How messages reach endpoints, by the kind that an endpoint's row says.
DELIVERY_KINDS = {"http": "webhooks.kinds.http.HttpRequests", "sns": "webhooks.kinds.sns.SnsTopics"}

# Where SNS answers, when it is not Amazon's own address of the topic's region.
SNS_ENDPOINT_URL = environment.text("SNS_ENDPOINT_URL", default="")

# Which adapter executes the trades of each kind of pool.
VENUES = {
    "constant_product": "orders.venues.constant_product.ConstantProductVenue",
    "outcome_market": "orders.venues.outcomes.OutcomeVenue",
    "outside": "orders.venues.outside.OutsideVenue",
}

# With these words at its user reference's beginning an order's test pool halts itself after the debit: nothing is traded,
# and the debit is given back.
SANDBOX_HALT_WORDS = ("magic-halt", "magic-reverse-")

# Exchange rates: where they come from ("" for nowhere), how old one may be in seconds, and the sandbox's fixed ones
# (EUR/USD=1.0850,…).
RATE_SOURCE = environment.text("RATE_SOURCE", default="")
FX_MAX_AGE = environment.whole_number("FX_MAX_AGE", default=300)
FX_FIXED_RATES = environment.rates("FX_FIXED_RATES", default="EUR/USD=1.0850,USD/EUR=0.9200")

# How many orders one worker advances at once (they mostly wait for wallets), and how long a saga's lease is.
SAGA_THREADS = environment.whole_number("SAGA_THREADS", default=8)
SAGA_LEASE = environment.whole_number("SAGA_LEASE", default=30)

# Within how many hours a review case has to be resolved, by its reason: a user's money may be gone while it is open.
REVIEW_SLA_HOURS = environment.hours(
    "REVIEW_SLA_HOURS",
    default="debit_unknown=4,credit_unknown=4,credit_rejected=4,reverse_unknown=8,reverse_rejected=8,return_adjusted=72,*=24",
)
