"""Labels with texts that break label software: rare characters, emoji, right to left, of any length."""

import random
from collections.abc import Callable
from typing import Final

from django.utils import timezone

from alliance.identifiers import RANDOM_BITS, new_parcel_id, tracking_number
from parcels.labels.rules import Label, Place, shown

_EMOJI: Final = "🍜🚚📦👩‍👩‍👧‍👦🏳️‍🌈👍🏽❤️"
_RIGHT: Final = "שלום עולם شركة الشحن السريع سلام ١٢٣٤٥٦ "
_ODD: Final = "\u200b\u202e\u2066\ufeff\u0301\u0489\t\r\n\x00\x1b^FS~JA^XZ_5E\\&(%<>é∞①㊙️Å"
_MIXED: Final = "Łódź Straße 12-3A 𠮷野家 №5 北京市朝阳区 Ünïcödé "


def hostile_text(random_: random.Random, most: int) -> str:
    """A text of up to so many characters."""
    makers: list[Callable[[], str]] = [
        lambda: chr(random_.randrange(0x4E00, 0xA000)),
        lambda: chr(
            random_.choice((random_.randrange(0x20000, 0x2A6E0), random_.randrange(0x30000, 0x31350)))
        ),
        lambda: random_.choice(_EMOJI),
        lambda: random_.choice(_RIGHT),
        lambda: random_.choice(_ODD),
        lambda: random_.choice(_MIXED),
        lambda: chr(random_.choice((random_.randrange(0x21, 0xD800), random_.randrange(0xE000, 0x110000)))),
        lambda: random_.choice("WWWWWMMMM "),
    ]
    chosen = random_.sample(makers, random_.randint(1, 3))
    length = random_.choice((1, 4, 12, 40, most, most))
    return "".join(random_.choice(chosen)() for _place in range(length))[:most]


def hostile_phone(random_: random.Random) -> str:
    digits = f"1{random_.randrange(10**10):010}"
    return random_.choice(
        (digits, f"+86 {digits[:3]} {digits[3:7]} {digits[7:]}", f"{digits}-{random_.randrange(9999)}")
    )


def hostile_label(seed: int) -> tuple[Label, str]:
    """Return a masked label, always the same for a seed, and the phone that it must not tell."""
    random_ = random.Random(seed)  # noqa: S311 -- nothing to guess
    phone = hostile_phone(random_)

    def text(most: int) -> str:
        # People write their phone anywhere.
        own = random_.choice(("", "", phone, " ".join(phone), phone[:6]))
        made = hostile_text(random_, most)
        cut = random_.randrange(len(made) + 1)
        return (made[:cut] + own + made[cut:])[:most]

    number = tracking_number(new_parcel_id(timezone.now(), random_bits=random_.randrange(2**RANDOM_BITS)))
    private = shown(name=text(120), phone=phone, address=text(300), reference=text(64), is_masked=True)
    label = Label(
        number=number,
        address=f"https://{random_.choice(('a.example', 'parcels.courier-alliance.example'))}/s/{number}",
        courier=hostile_text(random_, 200),
        tier=random_.choice(("Next day", "次日达", "Standard")),
        hour=random_.choice(("Thu 4 Dec, 20:00", "2026年12月4日 周四 20:00")),
        zone=f"{hostile_text(random_, 60)} UTC+8",
        origin=Place(random_.choice(("HGH", "AO-11592397")), hostile_text(random_, 60)),
        destination=Place(
            random_.choice(("CTU", "WUX", "6403", "AO-11592397")),
            hostile_text(random_, 60),
            hostile_text(random_, 60),
        ),
        recipient=private.recipient,
        phone=private.phone,
        recipient_address=private.address,
        sender=hostile_text(random_, 200),
        reference=private.reference,
        n=random_.choice((1, 12)),
        m=random_.choice((12, 100)),
        is_reprint=random_.random() < 0.5,
    )
    return label, phone
