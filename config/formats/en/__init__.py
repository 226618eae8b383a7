"""English, with dates as the API writes them."""
