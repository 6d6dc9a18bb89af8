"""asyncio: listeners, links to Postgres, the driver that runs sessions, the control API."""
