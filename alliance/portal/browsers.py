"""The browser and the system that a User-Agent header names, as a person would."""

from django.utils.translation import gettext as _

# Each browser names those it descends from as well, so the youngest come first.
_BROWSERS = {
    "MicroMessenger": "WeChat", "EdgA/": "Edge", "EdgiOS": "Edge", "Edg/": "Edge", "OPR/": "Opera",
    "SamsungBrowser": "Samsung Internet", "FxiOS": "Firefox", "Firefox/": "Firefox", "CriOS": "Chrome",
    "Chrome/": "Chrome", "Safari/": "Safari", "curl/": "curl",
}  # fmt: skip
_SYSTEMS = {
    "iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "HarmonyOS": "HarmonyOS", "Windows": "Windows",
    "Mac OS X": "macOS", "CrOS": "ChromeOS", "Linux": "Linux",
}  # fmt: skip


def browser_text(user_agent: str) -> str:
    """Return such as "Firefox, Windows". Only known names: the header may say anything."""
    browser = next((name for sign, name in _BROWSERS.items() if sign in user_agent), "")
    system = next((name for sign, name in _SYSTEMS.items() if sign in user_agent), "")
    return ", ".join(filter(None, (browser, system))) or _("Unknown browser")
