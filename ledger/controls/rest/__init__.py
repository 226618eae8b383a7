"""What every REST route stands on.

A route is a view of `views.ApiView` that says, by method, its scope, whether it takes an Idempotency-Key, and its
refusals; reads with `shapes.read_body` and `shapes.read_query`; changes inside `self.once(work)`; answers with
`answers.answer`; and pages with `pages.page`. It raises refusals and never makes a problem itself. tests/rest/routes.py
wants a row for it, and docs/openapi.yaml is written again with `manage.py spectacular --file docs/openapi.yaml`.
"""
