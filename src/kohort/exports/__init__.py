"""What leaves the house: networks as files, scripts that train them again, and cards that tell what they are."""
