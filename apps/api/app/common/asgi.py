"""What our server offers to our application beyond ASGI."""

#: A `websocket.send` may carry `"texts"`, a sequence of UTF-8 texts, in place of one text.
TEXTS = "renum.websocket.texts"
