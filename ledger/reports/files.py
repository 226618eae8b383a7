"""A report as a CSV file, streamed as it comes out of the database: the console's and REST's."""

from collections.abc import Iterator

from django.http import StreamingHttpResponse


def streamed(blocks: Iterator[bytes], name: str) -> StreamingHttpResponse:
    """Return the answer; `name` is the file's, without its ending."""
    return StreamingHttpResponse(
        blocks,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"},
    )
