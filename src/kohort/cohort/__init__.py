"""How recipes train together; the only room, with the two verbs on top of it, where JAX is spoken. See README.md."""
