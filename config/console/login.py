"""The log-in: user name, password and one-time code in one form. There is no log-in without the code."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django_otp import match_token
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget


class TwoFactorForm(AuthenticationForm):
    otp_token = forms.CharField(
        label="One-time code",
        max_length=12,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        user = self.get_user()
        device = match_token(user, cleaned.get("otp_token", "")) if user is not None else None
        if device is None:
            raise ValidationError("User name, password or one-time code is wrong.", code="invalid_login")
        user.otp_device = device
        return cleaned
