"""Helpers for HTML of pages and for violations of the Content-Security-Policy."""

from html.parser import HTMLParser


def html_of(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined]


class PolicyReader(HTMLParser):
    """Collects what the Content-Security-Policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "style" or (
            tag == "script" and not attributes.get("src") and "json" not in str(attributes.get("type"))
        ):
            self.refused.append(f"{self.getpos()[0]}: inline <{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith(("on", "hx-on")) or str(value).startswith("javascript:"):
                self.refused.append(f"{self.getpos()[0]}: {name}={value}")


def refused_by_policy(html: str) -> list[str]:
    reader = PolicyReader()
    reader.feed(html)
    return reader.refused
