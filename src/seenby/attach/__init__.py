"""A database that nobody mapped yet -> a proposal whose data is where, with reasons and questions. Pure."""
