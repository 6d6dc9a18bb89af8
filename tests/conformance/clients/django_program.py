"""Run by test_django: connects as libpq's variables say, prints one JSON object of outcomes."""

from __future__ import annotations

import io
import json
import os
import sys
import types
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings

OPTIONS = {
    name.removeprefix("PG").lower(): os.environ[name] for name in ("PGSSLMODE", "PGSSLROOTCERT") if name in os.environ
}
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql", "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"],
            "USER": os.environ["PGUSER"], "PASSWORD": os.environ["PGPASSWORD"], "NAME": os.environ["PGDATABASE"],
            "OPTIONS": OPTIONS,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)  # fmt: skip
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models import Count, F, Max  # noqa: E402
from django.db.utils import Error  # noqa: E402

found: dict[str, Any] = {}


def attempt(feature: str, check: Callable[[], Any]) -> None:
    try:
        found[feature] = json.loads(json.dumps(check(), default=str))
    except Error as error:
        found[feature] = ["error", getattr(error.__cause__, "sqlstate", "")]


def inspected() -> str:
    out = io.StringIO()
    call_command("inspectdb", stdout=out)
    return out.getvalue()


def rows(text: str, *arguments: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text, arguments or None)
        return cursor.fetchall()


attempt("sign in", lambda: [connection.pg_version // 10000, connection.vendor])
attempt("catalogue", inspected)
module = types.ModuleType("models")
sys.modules["models"] = module
text = found["catalogue"].replace("class Meta:\n", "class Meta:\n        app_label = 'platform'\n")
exec(compile(text, "models.py", "exec"), module.__dict__)
Accounts, Videos, Devices = module.Accounts, module.Videos, module.Devices

attempt("parameters", lambda: rows("SELECT id, phone FROM accounts WHERE id = %s", 1000000042))
attempt("queries it writes", lambda: [
    list(Accounts.objects.filter(handle__startswith="c").order_by("id").values("id", "handle", "settings")[:5]),
    Accounts.objects.exclude(phone=None).count(),
    list(Accounts.objects.values("country").annotate(n=Count("id")).order_by("country").values_list("country", "n")),
    Videos.objects.aggregate(Max("length_s")),
    list(Videos.objects.filter(views__gt=F("length_s")).order_by("id").values_list("id")[:3]),
    list(Videos.objects.filter(account__handle__icontains="a").order_by("id").values_list("caption", flat=True)[:5]),
])  # fmt: skip
attempt("ORM", lambda: [
    [one.handle, [video.caption for video in one.videos_set.order_by("id")]]
    for one in Accounts.objects.filter(id__gte=1000000040).order_by("id").prefetch_related("videos_set")[:5]
] + [
    [one.model, one.account.handle] for one in Devices.objects.select_related("account").order_by("id")[:5]
] + [Accounts.objects.get(pk=1000000042).handle, Accounts.objects.filter(pk=5).exists()])  # fmt: skip


def portions() -> Any:
    return [one.id for one in Videos.objects.order_by("id").iterator(chunk_size=7)][:50]


def within() -> Any:
    with transaction.atomic():
        return portions()


attempt("rows in portions", within)
attempt("cursor WITH HOLD", lambda: len(portions()))


def atomic() -> Any:
    with transaction.atomic():
        number = Accounts.objects.count()
        with transaction.atomic():
            return [number, Videos.objects.count()]


attempt("its own transactions", atomic)
attempt("change", lambda: Accounts.objects.filter(pk=1000000042).update(phone="1"))
attempt("hidden column", lambda: rows("SELECT full_name FROM staff"))
print(json.dumps(found))
