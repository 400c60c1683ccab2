"""What our server offers to our application beyond ASGI."""

#: A WebSocket extension. A `websocket.send` may carry `"texts"`, a sequence of UTF-8 texts, in
#: place of one text; and the extension's `"write"`, a function, takes such a sequence at once, or
#: answers False.
TEXTS = "renum.websocket.texts"
