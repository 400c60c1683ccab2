"""`renum-api doctor`: looks at every setting and dependency, and says what to do."""
