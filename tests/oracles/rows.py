"""The people of the oracles' world, and their devices: other tables' owners are found through them."""

from __future__ import annotations

Value = int | str | bool | None

ACCOUNTS: tuple[tuple[Value, ...], ...] = (
    # id, handle, email, phone, birth, home, coins, joined
    (1, "ann", "ann@x.eu", "+441", "1990-01-01", "eu", 5, "2024-01-01"),
    (2, "bob", "bob@x.eu", "+442", "1991-01-01", "eu", 5, "2024-02-01"),
    (3, "cyd", "cyd@x.us", None, "1992-01-01", "us", None, "2024-02-01"),
    (4, "Dee", "dee@x.us", "+1555", None, "us", 0, None),
    (5, "eve", None, "+441", "1994-01-01", "eu", 12, "2025-01-01"),
    (6, "ann", "fox@x.us", "+1777", "1995-01-01", "us", 5, "2025-06-01"),
    (7, "gus", "gus@x.ap", "+852", "1996-01-01", "ap", 5, "2024-01-01"),
    (8, "hal", "hal@x.ap", "+853", "1997-01-01", "ap", None, "2024-02-01"),
)

DEVICES: tuple[tuple[Value, ...], ...] = (
    # id, account_id, model, imei, carrier, year
    (1, 1, "Fon 3", "356-1", "tel", 2021),
    (2, 1, "Tab", "356-2", None, 2023),
    (3, 2, "Fon 3", "356-3", "net", None),
    (4, 3, "Fon 3", "356-4", "tel", 2021),
    (5, 4, "Fon 4", "356-5", None, 2024),
    (6, 5, "Tab", "356-6", "net", 2023),
    (7, 7, "Fon 3", "356-7", "tel", 2021),
)
