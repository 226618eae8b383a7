"""Cookies, hosts, passwords, and the size of what comes in."""

from config.settings import environment
from ledger.controls import redaction

CSRF_TRUSTED_ORIGINS = environment.names("CSRF_TRUSTED_ORIGINS")

# Off only where the console is served over plain HTTP on loopback.
_HTTPS_ONLY = environment.flag("HTTPS_ONLY", default=True)
SESSION_COOKIE_SECURE = _HTTPS_ONLY
CSRF_COOKIE_SECURE = _HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS_ONLY else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _HTTPS_ONLY else None

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60
CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 14},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]

# A request body in bytes; a list of ten thousand postings fits.
DATA_UPLOAD_MAX_MEMORY_SIZE = environment.whole_number("BODY_LIMIT_BYTES", default=4 * 1024 * 1024, least=1024)

# What encrypts secrets in the database: the newest key first, older ones until rotate_secrets has run.
SECRETS_KEYS = environment.keys("SECRETS_KEYS")
redaction.hide(*SECRETS_KEYS)

# Who may read /metrics; empty where the network decides.
METRICS_TOKEN = environment.text("METRICS_TOKEN", default="")
