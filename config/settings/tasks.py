"""Celery, the doorbell: Postgres holds the queue, so nothing here needs to be kept or repeated."""

# Every process that reads the settings has the one application, so that a shared task finds it.
from config.celery import app as celery_app  # noqa: F401
from config.settings import environment

REDIS_URL = environment.url("REDIS_URL", schemes=("redis", "rediss", "unix"))

# The bell that wakes the drains; tests put a silent one in its place.
DOORBELL = environment.text("DOORBELL", default="ledger.tasks.GatheredCeleryBell")

CELERY_BROKER_URL = f"redis+socket{REDIS_URL.removeprefix('unix')}" if REDIS_URL.startswith("unix") else REDIS_URL
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"

# Celery closes the database connection before and after each task unless it may be used again so many times: a new one is a
# new backend without a plan or a catalogue. How long it is kept is DATABASE_CONNECTION_SECONDS, as for the web.
CELERY_DB_REUSE_MAX = 1_000_000_000

CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 90
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False

# Ringing gives up at once when nobody hears it: the relay finds the row. The worker keeps knocking.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = 10
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}

CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
