"""The demonstration's people to show: card numbers that are always the same, each for one thing to see."""

from __future__ import annotations

from dataclasses import dataclass

from sync.central.demo_people import Member
from sync.central.demo_places import BANJARSARI, HADIMULYO_TIMUR, IRINGMULYO
from sync.central.import_format import Chip

SERVED = "served"


@dataclass(frozen=True, slots=True)
class Showcase:
    """One person to show. ``expect`` is ``served`` or the code of the card fault a tap ends in."""

    label: str
    card_no: str
    holder_id: int
    chip: Chip
    member: Member
    description: str
    programs: tuple[str, ...] = ()
    """Ids of programs of the holder's own."""
    expect: str = SERVED


@dataclass(frozen=True, slots=True)
class ShowcaseFamily:
    """A family to show; ``programs`` are those of the family as a whole."""

    point_id: int
    people: tuple[Showcase, ...]
    programs: tuple[str, ...] = ()


_SCHOOL = ("transport-siswa", "seragam-sekolah", "buku-pelajaran", "sarapan-sekolah")
_RICE = ("beras-keluarga",)
_CHECK = ("periksa-kesehatan",)

# fmt: off
FAMILIES: tuple[ShowcaseFamily, ...] = (
    ShowcaseFamily(IRINGMULYO, (
        Showcase("mother", "5111592852", 1, "NTAG215", Member(34, "f", "Wulan Rahayu"),
                 "A mother: rice for the family and a health check", _CHECK),
        Showcase("father", "8533711431", 2, "FeliCa", Member(37, "m", "Teguh Santoso"),
                 "The same family's second card: the rice is one right for both"),
        Showcase("child", "5794984749", 3, "NTAG215", Member(9, "f", "Kirana Lestari"),
                 "A pupil with both parents as guardians: every school program, one not yet open, one over",
                 (*_SCHOOL, "kartu-identitas-anak", "tas-sekolah", "masker-sekolah")),
        Showcase("toddler", "5179361968", 4, "DESFire", Member(2, "m", "Bima Saputra"),
                 "A toddler: weekly food, drawn in parts, collected by a guardian", ("makanan-balita",)),
    ), _RICE),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("elder", "4438987150", 5, "NTAG215", Member(71, "f", "Ngatinah"),
                 "An elderly woman: quarterly money, by a representative if she cannot come",
                 ("bantuan-lansia", *_CHECK)),
        Showcase("ward", "7562865928", 6, "NTAG215", Member(11, "m", "Galih Pratama"),
                 "Guardian is the grandmother; the aunt's right has ended, the uncle's was revoked",
                 ("transport-siswa", "sarapan-sekolah", "buku-pelajaran")),
    )),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("farmer", "7131342110", 7, "FeliCa", Member(45, "m", "Slamet Mulyono", farmer=True),
                 "A farmer: fertiliser or seed, whichever is taken closes the other for the season",
                 ("pupuk-bersubsidi", "benih-padi")),
        Showcase("farmers-wife", "4621035502", 8, "DESFire", Member(43, "f", "Tuti Astuti"),
                 "The farmer's wife: nothing of her own but the family's rice"),
    ), _RICE),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("treatment", "7800561016", 9, "NTAG215", Member(41, "f", "Ratna Kusumawati"),
                 "Only a sensitive program: the public screen names none", ("nutrisi-terapi",)),
        Showcase("sensitive", "2074253937", 10, "NTAG215", Member(15, "f", "Intan Permata"),
                 "A teenager: transport money, and counselling that the public screen does not name",
                 ("konseling-anak", "transport-siswa")),
    )),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("aunt", "9423380311", 11, "NTAG215", Member(33, "f", "Yuni Susanti"),
                 "Was guardian of the ward until last month; one program of her own", _CHECK),
        Showcase("no-program", "2330147535", 12, "NTAG215", Member(39, "m", "Hendra Gunawan"),
                 "No program at all; the uncle whose guardianship of the ward was revoked"),
    )),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("one-program", "7990390259", 13, "FeliCa", Member(28, "m", "Arif Hidayat"),
                 "One program: a health check", _CHECK),
    )),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("blocked", "4257433310", 14, "NTAG215", Member(50, "m", "Untung Purnomo"),
                 "A holder who is blocked", _CHECK, "card_blocked"),
    )),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("deceased", "8481717406", 15, "NTAG215", Member(78, "f", "Sukini"),
                 "A holder who has died", ("bantuan-lansia",), "card_deceased"),
    )),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("lost", "6710092468", 16, "NTAG215", Member(30, "f", "Mega Wulandari"),
                 "A card reported lost; no new one yet", _CHECK, "card_lost"),
    )),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("replaced-new", "8713380205", 17, "NTAG215", Member(47, "m", "Joko Hermawan", farmer=True),
                 "The second issue of a card, good; its first issue is `replaced-old`",
                 ("pupuk-bersubsidi", *_CHECK)),
    ), _RICE),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("expired", "6665019599", 18, "FeliCa", Member(52, "f", "Endang Hastuti"),
                 "A card past its date", _CHECK, "card_expired"),
    )),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("stolen", "4233660945", 19, "NTAG215", Member(25, "m", "Wahyu Setiawan"),
                 "A card reported stolen; no new one yet", _CHECK, "card_stolen"),
    )),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("long-name", "2911459168", 20, "DESFire",
                 Member(62, "f", "Kusumaningtyas Puspaningrum Wijayakusuma Hadiningratsari"),
                 "The longest name, for the screens", ("bantuan-lansia", *_CHECK)),
    )),
    ShowcaseFamily(IRINGMULYO, (
        Showcase("revoked", "3498219181", 21, "NTAG215", Member(36, "m", "Rudi Firmansyah"),
                 "A card revoked by the city", _CHECK, "card_revoked"),
    )),
    ShowcaseFamily(HADIMULYO_TIMUR, (
        Showcase("other-point", "2897181026", 22, "NTAG215", Member(38, "f", "Evi Utami"),
                 "A holder of Hadimulyo Timur: at Iringmulyo her rights lie elsewhere", _CHECK),
        Showcase("other-point-child", "7846167265", 23, "FeliCa", Member(7, "m", "Raka Pratama"),
                 "Her child, a pupil", _SCHOOL),
    ), _RICE),
    ShowcaseFamily(HADIMULYO_TIMUR, (
        Showcase("other-point-farmer", "1183180056", 24, "NTAG215", Member(51, "m", "Paiman", farmer=True),
                 "A farmer of Hadimulyo Timur with fertiliser and seed", ("pupuk-bersubsidi", "benih-padi")),
    )),
    ShowcaseFamily(BANJARSARI, (
        Showcase("no-kiosk", "3264758594", 25, "NTAG215", Member(44, "f", "Lina Wahyuni"),
                 "A holder of Banjarsari, which has no kiosk: central keeps her rights", _CHECK),
    ), _RICE),
)
# fmt: on

SHOWCASE: dict[str, Showcase] = {person.label: person for family in FAMILIES for person in family.people}
"""Every person to show, by label."""

OLD_ISSUE_LABEL = "replaced-old"
"""Label of the first issue of the card of ``replaced-new``."""
