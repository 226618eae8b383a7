"""The language's experimental features. A script asks for each by name: `#![feature("experimental-oneof")]`."""

from enum import StrEnum


class Feature(StrEnum):
    ACCOUNT_INTERPOLATION = "experimental-account-interpolation"
    """Variables within an account: `@users:$id:main`."""
    ASSET_COLORS = "experimental-asset-colors"
    """Funds of one colour: `@source \\ "RED"`."""
    ASSET_SCALING = "experimental-asset-scaling"
    """Other scales of an asset changed on the way: `@source with scaling through @swap`."""
    GET_AMOUNT = "experimental-get-amount-function"
    """`get_amount([EUR 5])` is 5."""
    GET_ASSET = "experimental-get-asset-function"
    """`get_asset([EUR 5])` is EUR."""
    MID_SCRIPT_CALL = "experimental-mid-script-function-call"
    """A function called within a statement, or within another expression."""
    ONEOF = "experimental-oneof"
    """The first of several sources or destinations that fits."""
    OVERDRAFT_FUNCTION = "experimental-overdraft-function"
    """`overdraft(@account, EUR)`: by how much the account is below zero."""
