"""Names that a mail program would turn into a link. Pure functions.

A company's name stands in mails to people who have not asked for them: as a link it would be an
advertisement, or a trap, sent by us.
"""

import re
import unicodedata

from django.utils.translation import gettext_lazy as _

NO_LINKS = _("Leave out web and e-mail addresses: the name stands in mails.")
# Mail programs know the common endings only, and so "Co.Ltd" is no link.
_ENDINGS = (
    "com|cn|net|org|edu|gov|info|biz|top|xyz|site|shop|store|online|vip|club|app|dev|example|hk|tw|mo|sg|jp|kr"
    "|uk|de|fr|eu|ru|us|me|cc|tv|io|ai|ly|link|live|icu|work|wang|ren|ink"
)
_LINK = re.compile(
    rf"[a-z][a-z0-9+.-]*://|\bwww\.|\bmailto:|@|[^\W_]\.(?:{_ENDINGS})(?![^\W_])|[^\W_]\.[^\W_]{{2,}}/",
    re.IGNORECASE,
)


def has_link(text: str) -> bool:
    """Tell whether a text contains a web or mail address, also one in full-width characters."""
    plain = unicodedata.normalize("NFKC", text).replace("。", ".")
    # A blank or an invisible character inside would be left out by who copies it.
    visible = "".join(char for char in plain if unicodedata.category(char) != "Cf")
    return _LINK.search(visible) is not None
