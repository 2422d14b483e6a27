"""What is trained: recipes, the techniques they are made of, and networks to apply them to."""
