"""The OpenAPI document and its page. It is made once per process: nothing in it changes while it runs."""

from functools import cache

from django.http import HttpRequest, HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer

from ledger.controls.rest.problems import problem

CONTENT_TYPE = "application/vnd.oai.openapi"


@cache
def document() -> bytes:
    """Return the document in YAML; docs/openapi.yaml is this, kept."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    rendered: bytes = OpenApiYamlRenderer().render(schema, renderer_context={})  # type: ignore[no-untyped-call]
    return rendered


def schema(request: HttpRequest) -> HttpResponse:
    """Answer with the document."""
    if request.method not in ("GET", "HEAD"):
        return problem(status=405, code="method_not_allowed", headers={"Allow": "GET, HEAD"})
    return HttpResponse(document(), content_type=CONTENT_TYPE)
