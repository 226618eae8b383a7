"""A bare DRF view that calls one posting function: what F5 is measured against."""

import uuid
from typing import Any

from django.db import connection
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

_POST = (
    "SELECT code FROM ledger_post_one((SELECT id FROM ledger_book WHERE environment = 'test')::smallint, NULL, %s,"
    " 'OPENING_BALANCE', 'plain', 'bare', '{}', '{}', '', NULL, 0, 1, %s, %s, 'EUR', %s)"
)


class PostingView(APIView):
    def post(self, request: Request) -> Response:
        asked: Any = request.data
        with connection.cursor() as cursor:
            cursor.execute(_POST, [f"bare:{uuid.uuid4()}", asked["debit"], asked["credit"], int(asked["minor"])])
            row = cursor.fetchone()
        return Response({"code": row[0] if row else None})


urlpatterns = [path("post", PostingView.as_view())]
