"""Numscript: Formance's language for transactions, read and executed here, without a database.

    program = parse(source)
    run = execute(program, {"amount": "EUR 100"}, balances={("users:1", "EUR"): 500})
    run.postings

docs/numscript.md says what the language is as this project runs it.
"""

from ledger.numscript.errors import (
    AllotmentInvalid,
    AssetMismatch,
    DivisionByZero,
    FeatureNotEnabled,
    LimitExceeded,
    MetadataMissing,
    MissingFunds,
    NegativeAmount,
    NegativeBalance,
    NumscriptError,
    SyntaxRefused,
    TypeMismatch,
    UnboundedSource,
    UnknownName,
    VariableInvalid,
    pointed_out,
)
from ledger.numscript.features import Feature
from ledger.numscript.plain import PlainSend
from ledger.numscript.program import Execution, Program, everywhere, execute, only_world, parse
from ledger.numscript.run import BalanceSource, MetadataSource, Sent
from ledger.numscript.values import Given, Kind, Monetary, Value, is_address, is_asset, text
from ledger.numscript.variables import Variable

__all__ = [
    "AllotmentInvalid",
    "AssetMismatch",
    "BalanceSource",
    "DivisionByZero",
    "Execution",
    "Feature",
    "FeatureNotEnabled",
    "Given",
    "Kind",
    "LimitExceeded",
    "MetadataMissing",
    "MetadataSource",
    "MissingFunds",
    "Monetary",
    "NegativeAmount",
    "NegativeBalance",
    "NumscriptError",
    "PlainSend",
    "Program",
    "Sent",
    "SyntaxRefused",
    "TypeMismatch",
    "UnboundedSource",
    "UnknownName",
    "Value",
    "Variable",
    "VariableInvalid",
    "everywhere",
    "execute",
    "is_address",
    "is_asset",
    "only_world",
    "parse",
    "pointed_out",
    "text",
]
