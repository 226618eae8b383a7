from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """Makes the console the default admin site."""

    default_site = "config.console.site.ConsoleSite"
