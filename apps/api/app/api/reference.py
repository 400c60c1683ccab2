"""
`/docs`: the reference of the API as a page to read and to try.

All of it comes from this server, so that it works offline, tells nobody who reads it, and needs no
exception in its Content-Security-Policy but for the styles that Swagger UI writes into elements.
"""

from importlib.resources import files

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from app.api.section import Section

PATH = "/docs"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# Relative addresses, so that it works below whatever path a proxy serves it at.
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Renum API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> does not.</noscript>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
"""

router = Section(prefix=PATH, include_in_schema=False)
#: Swagger UI, as a package of Python's index brings it.
assets = StaticFiles(directory=str(files("fastapi_offline") / "static"))


@router.get("")
async def reference() -> HTMLResponse:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/start.js")
async def start() -> Response:
    return Response(_START, media_type="text/javascript")
