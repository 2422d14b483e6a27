"""What experiments train and measure with: networks, rows, ways to choose fairly, what theory says."""
