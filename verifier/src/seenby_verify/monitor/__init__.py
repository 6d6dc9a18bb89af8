"""Follows a log from day to day and remembers what it showed.

``memory`` is what is on disk, ``follow`` reads what is new and compares, ``promises`` looks after single
promises, ``alarm`` is what a monitor shouts.
"""
