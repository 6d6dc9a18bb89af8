"""A grant -> the database's own roles, views and masks, as SQL text. Pure."""
