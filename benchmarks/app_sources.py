"""The texts of the modules of one app of a generated project."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.sources import TAIL


def app_module(part: str, name: str, before: list[str]) -> str:
    """One module of the app `name`; before: the apps that are loaded before it."""
    text = _PARTS[part](name, before)
    return text if part in ("__init__", "urls") else text + TAIL


def _init(name: str, before: list[str]) -> str:
    return f'"""The app {name}."""\n'


def _apps(name: str, before: list[str]) -> str:
    return f'''"""Configuration of {name}."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "{name}"
    verbose_name = "App {name}"
'''


def _constants(name: str, before: list[str]) -> str:
    return f'''"""Words that {name} uses."""

import enum
import re

from common import text


class State(enum.Enum):
    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


class Flag(enum.IntFlag):
    VISIBLE = 1
    LOCKED = 2
    LATE = 4


NUMBER = re.compile(r"^{name}-(?P<year>\\d{{4}})-(?P<number>\\d+)$")
SLUG = text.slug("App {name}")
ORDER = {{state: index for index, state in enumerate(State)}}


def number(value):
    """The running number inside a full one."""
    found = NUMBER.match(value)
    return int(found["number"]) if found else None
'''


def _managers(name: str, before: list[str]) -> str:
    return f'''"""Queries of {name}."""

from django.db import models

from {name}.constants import State


class ItemQuerySet(models.QuerySet):
    def open(self):
        return self.filter(state=State.OPEN.value)

    def titled(self, title):
        return self.filter(title__icontains=title)

    def late(self, now):
        return self.open().filter(due__lt=now)


ItemManager = models.Manager.from_queryset(ItemQuerySet)
'''


def _models(name: str, before: list[str]) -> str:
    other = before[-1] if before else name
    return f'''"""Models of {name}."""

from django.db import models

from common.models import Stamped
from {name}.constants import State
from {name}.managers import ItemManager


class Item(Stamped):
    state = models.CharField(max_length=10, choices=[(s.value, s.name) for s in State])
    due = models.DateTimeField(null=True)
    parent = models.ForeignKey("{other}.Item", models.CASCADE, null=True, related_name="+")
    amount = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    objects = ItemManager()

    class Meta:
        ordering = ["-created"]
        indexes = [models.Index(fields=["state", "due"], name="{name}_state")]

    def __str__(self):
        return self.title

    def close(self):
        self.state = State.CLOSED.value
        self.save()


class Note(Stamped):
    item = models.ForeignKey(Item, models.CASCADE, related_name="notes")
    text = models.TextField(blank=True)

    def short(self):
        return self.text[:40]


class Tag(Stamped):
    word = models.SlugField(unique=True)
    items = models.ManyToManyField(Item, related_name="tags", blank=True)

    def count(self):
        return self.items.count()


class Booking(Stamped):
    item = models.ForeignKey(Item, models.PROTECT, related_name="bookings")
    starts = models.DateTimeField()
    ends = models.DateTimeField(null=True)
    email = models.EmailField(blank=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    confirmed = models.BooleanField(default=False)

    class Meta:
        ordering = ["starts"]

    def lasts(self):
        return self.ends - self.starts
'''


def _services(name: str, before: list[str]) -> str:
    count = len(before)
    used = [before[index] for index in sorted({count // 2, count // 3}) if index < count]
    imports = "".join(f"from {other} import services as {other}\n" for other in used)
    calls = "".join(f"    total += {other}.due(title)\n" for other in used)
    return f'''"""What can be done with the items of {name}."""

import dataclasses
from decimal import Decimal

{imports}from common import text
from {name} import constants
from {name}.models import Item


@dataclasses.dataclass(frozen=True)
class Summary:
    title: str
    count: int = 0
    amount: Decimal = Decimal(0)
    state: constants.State = constants.State.OPEN


@dataclasses.dataclass
class Draft:
    title: str
    lines: list = dataclasses.field(default_factory=list)


def due(title):
    """How much is open, here and where it came from."""
    total = len(text.slug(title))
{calls}    return total


def summary(title):
    items = Item.objects.open().titled(title)
    return Summary(title, items.count(), sum(item.amount for item in items))
'''


def _forms(name: str, before: list[str]) -> str:
    return f'''"""Forms of {name}."""

from django import forms

from {name}.models import Booking, Item, Note


class ItemForm(forms.ModelForm):
    class Meta:
        model = Item
        fields = ["title", "state", "due", "amount"]

    def clean_title(self):
        return self.cleaned_data["title"].strip()


class NoteForm(forms.ModelForm):
    class Meta:
        model = Note
        fields = ["title", "text"]


class BookingForm(forms.ModelForm):
    class Meta:
        model = Booking
        fields = ["item", "starts", "ends", "email"]

    def clean(self):
        found = super().clean()
        if found.get("ends") and found["ends"] < found["starts"]:
            self.add_error("ends", "before it starts")
        return found


class SearchForm(forms.Form):
    title = forms.CharField(required=False)
    state = forms.ChoiceField(required=False)
'''


def _views(name: str, before: list[str]) -> str:
    other = before[-1] if before else name
    return f'''"""Pages of {name}."""

from django.http import HttpResponse, JsonResponse
from django.views.decorators.http import require_GET
from django.views.generic import DetailView, FormView, ListView

from {name} import forms, services
from {name}.models import Item
from {other} import services as other


class ItemList(ListView):
    model = Item
    paginate_by = 20

    def get_queryset(self):
        return Item.objects.open()


class ItemDetail(DetailView):
    model = Item

    def get_context_data(self, **kwargs):
        return super().get_context_data(due=other.due(self.object.title), **kwargs)


class NewItem(FormView):
    form_class = forms.ItemForm
    success_url = "/{name}/"


@require_GET
def summary(request):
    found = services.summary(request.GET.get("title", ""))
    return JsonResponse({{"title": found.title, "count": found.count}})


def due(request, title):
    return HttpResponse(str(other.due(title)))
'''


def _urls(name: str, before: list[str]) -> str:
    return f'''"""URLs of {name}."""

from django.urls import path

from {name} import views

app_name = "{name}"
urlpatterns = [
    path("", views.ItemList.as_view(), name="list"),
    path("<int:pk>/", views.ItemDetail.as_view(), name="detail"),
    path("new/", views.NewItem.as_view(), name="new"),
    path("summary/", views.summary, name="summary"),
    path("due/<str:title>/", views.due, name="due"),
]
'''


def _admin(name: str, before: list[str]) -> str:
    return f'''"""{name} in the admin."""

from django.contrib import admin

from {name}.models import Item, Note


class NoteInline(admin.TabularInline):
    model = Note
    extra = 0


@admin.register(Item)
class ItemAdmin(admin.ModelAdmin):
    list_display = ["title", "state", "due"]
    list_filter = ["state"]
    inlines = [NoteInline]
'''


_PARTS: dict[str, Callable[[str, list[str]], str]] = {
    "__init__": _init,
    "apps": _apps,
    "constants": _constants,
    "managers": _managers,
    "models": _models,
    "services": _services,
    "forms": _forms,
    "views": _views,
    "urls": _urls,
    "admin": _admin,
}
