"""Settings, URLs, Celery, authentication and wiring. Nobody imports this floor."""
