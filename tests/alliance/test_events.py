"""The outbox: topics are defined in one enum, which all writers of events use."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from alliance import events
from alliance.database.cluster import is_distributed
from alliance.events import Topic
from alliance.models import Event
from alliance.tenancy import Scope, raw_rows, scope
from slas.choices import Outcome
from slas.commitments.rules import is_breach
from tests.helpers.sources import PACKAGES, modules

TOPICS = sorted(Topic)


def texts(path: Path) -> Iterator[str]:
    """The strings of a module but verbs of the audit trail, some of which are the same words."""
    tree = ast.parse(path.read_text())
    verbs = {
        id(word.value) for word in ast.walk(tree) if isinstance(word, ast.keyword) and word.arg == "verb"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in verbs:
            yield node.value


def test_topics_are_written_out_in_the_enum_alone() -> None:
    written_out = {
        (path.name, topic)
        for package in PACKAGES
        for path in modules(package)
        # What translators translate must be a literal.
        if path.name != "code_texts.py"
        for text in texts(path)
        for topic in TOPICS
        if re.search(rf"\b{re.escape(topic)}\b", text)
    }
    assert written_out == {("events.py", topic) for topic in TOPICS}


def test_sql_that_writes_events_takes_its_topics_from_the_enum() -> None:
    inserts = [
        (path.name, insert)
        for package in PACKAGES
        for path in modules(package)
        for insert in re.findall(r"INSERT INTO alliance_event .*?FROM", path.read_text(), re.DOTALL)
    ]
    assert len(inserts) > 5
    assert [(name, insert) for name, insert in inserts if re.search(r"'[a-z_]+\.[a-z_]*'", insert)] == []


def test_every_topic_is_used() -> None:
    code = "".join(path.read_text() for package in PACKAGES for path in modules(package))
    # The settlement puts the outcome behind what these two begin with.
    put_together = {Topic.COMMITMENT_OVERDUE}
    assert [topic for topic in Topic if f"Topic.{topic.name}" not in code and topic not in put_together] == []


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if is_breach(outcome)])
def test_each_breach_has_a_topic(outcome: Outcome) -> None:
    assert Topic(f"commitment.{outcome}")


def test_topics_fit_their_column() -> None:
    assert max(len(topic) for topic in Topic) <= 40


@pytest.mark.django_db
def test_event_about_no_parcel_has_the_parcel_0() -> None:
    with scope(Scope.everything()):
        events.record([events.NewEvent(Topic.COURIER_GRADED, courier_id=7)])
        raw_rows("INSERT INTO alliance_event (topic, at, payload) VALUES ('a test', now(), '{}')")
        assert list(Event.objects.values_list("parcel_id", flat=True)) == [0, 0]


@pytest.mark.django_db
def test_null_of_the_release_before_is_the_parcel_0() -> None:
    if is_distributed():
        # That release does not serve on a cluster.
        return
    with scope(Scope.everything()):
        raw_rows(
            "INSERT INTO alliance_event (topic, at, parcel_id, payload)"
            " VALUES ('a test', now(), NULL, '{}'), ('a test', now(), 5, '{}')"
        )
        assert sorted(Event.objects.values_list("parcel_id", flat=True)) == [0, 5]
