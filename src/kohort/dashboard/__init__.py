"""A local web page that follows studies while they train; it starts nothing and changes nothing."""
