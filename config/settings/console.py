"""The console: Django's admin under django-unfold."""

LOGIN_URL = "/console/login/"

UNFOLD = {
    "SITE_TITLE": "Holdfast",
    "SITE_HEADER": "Holdfast",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "4px",
}

OTP_TOTP_ISSUER = "Holdfast"
