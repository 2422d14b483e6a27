"""What a study found, for people: as text in a terminal and as one self-contained HTML page."""
