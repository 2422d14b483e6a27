"""A compiled model as the code that makes it: lines, expressions, statements, and the source that they need."""
