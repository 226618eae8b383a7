"""The console: Django's admin under django-unfold."""

AUTHENTICATION_BACKENDS = ["config.console.people.PeopleBackend"]
LOGIN_URL = "/console/login/"
LOGIN_REDIRECT_URL = "/console/"

UNFOLD = {
    "SITE_TITLE": "Holdfast",
    "SITE_HEADER": "Holdfast",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "4px",
    "COLORS": {
        "primary": {
            "50": "239 246 255",
            "100": "219 234 254",
            "200": "191 219 254",
            "300": "147 197 253",
            "400": "96 165 250",
            "500": "59 130 246",
            "600": "37 99 235",
            "700": "29 78 216",
            "800": "30 64 175",
            "900": "30 58 138",
            "950": "23 37 84",
        },
    },
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": "config.console.sidebar.navigation"},
}

OTP_TOTP_ISSUER = "Holdfast"

# A person's seed is shown on the form that makes it, and never again: whoever could read it could be that person (rule H1).
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
