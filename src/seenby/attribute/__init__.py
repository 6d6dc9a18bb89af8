"""Rows -> people: takes the person keys off every row. Pure."""
