"""Whom notices reach: an e-mail (printed by the worker unless a mail server is set) and a Slack-compatible webhook."""

from config.settings import environment

EMAIL_BACKEND = environment.text("EMAIL_BACKEND", default="django.core.mail.backends.console.EmailBackend")
EMAIL_HOST = environment.text("EMAIL_HOST", default="localhost")
EMAIL_PORT = environment.whole_number("EMAIL_PORT", default=25, least=1, most=65535)
EMAIL_HOST_USER = environment.text("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = environment.text("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = environment.flag("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", default="holdfast@localhost")

NOTICE_EMAILS = environment.names("NOTICE_EMAILS", default=("ops@localhost",))
NOTICE_WEBHOOK_URL = environment.text("NOTICE_WEBHOOK_URL", default="")

# Open breaks per 10,000 orders of a day above which its close is a notice.
BREAK_RATE_LIMIT = environment.whole_number("BREAK_RATE_LIMIT", default=100)
