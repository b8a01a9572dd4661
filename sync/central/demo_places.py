"""The demonstration's places: agencies, service points, kiosks and their officers."""

from __future__ import annotations

from datetime import date, timedelta

from sync.central.import_format import Agency, Kiosk, Officer, Point

DISTRICTS: dict[str, tuple[str, ...]] = {
    "Metro Pusat": ("Metro", "Imopuro", "Hadimulyo Barat", "Hadimulyo Timur", "Yosomulyo"),
    "Metro Barat": ("Mulyojati", "Mulyosari", "Ganjar Agung", "Ganjar Asri"),
    "Metro Timur": ("Iringmulyo", "Yosodadi", "Yosorejo", "Tejosari", "Tejoagung"),
    "Metro Selatan": ("Rejomulyo", "Margorejo", "Margodadi", "Sumbersari Bantul"),
    "Metro Utara": ("Banjarsari", "Purwosari", "Purwoasri", "Karangrejo"),
}
"""The city's five kecamatan and their 22 kelurahan; points 1 to 22 in this order."""

HADIMULYO_TIMUR = 4
IRINGMULYO = 10
BANJARSARI = 19
HEALTH_CENTRE = 23
SCHOOL = 24

EDUCATION, HEALTH, SOCIAL, AGRICULTURE, PROTECTION, CIVIL_REGISTRY, COMMUNICATION = range(1, 8)
"""Ids of the agencies, named by what they do."""

AGENCIES = (
    Agency(id=EDUCATION, name="Dinas Pendidikan dan Kebudayaan", short="Disdikbud"),
    Agency(id=HEALTH, name="Dinas Kesehatan", short="Dinkes"),
    Agency(id=SOCIAL, name="Dinas Sosial", short="Dinsos"),
    Agency(id=AGRICULTURE, name="Dinas Ketahanan Pangan, Pertanian dan Perikanan", short="DKP3"),
    Agency(
        id=PROTECTION,
        name="Dinas Pemberdayaan Perempuan, Perlindungan Anak, Pengendalian Penduduk dan Keluarga Berencana",
        short="P3AP2KB",
    ),
    Agency(id=CIVIL_REGISTRY, name="Dinas Kependudukan dan Pencatatan Sipil", short="Disdukcapil"),
    Agency(id=COMMUNICATION, name="Dinas Komunikasi dan Informatika", short="Diskominfo"),
)

KIOSKS = (
    Kiosk(id="IRM1", point_id=IRINGMULYO, counter="Loket 1", keeper=True),
    Kiosk(id="IRM2", point_id=IRINGMULYO, counter="Loket 2", keeper=False),
    Kiosk(id="HDM1", point_id=HADIMULYO_TIMUR, counter="Loket 1", keeper=True),
)

_OFFICERS = (
    ("rina", "Rina Anggraini", "officer", IRINGMULYO, "240517"),
    ("bagus", "Bagus Prasetyo", "officer", IRINGMULYO, "380264"),
    ("sekar", "Sekar Handayani", "supervisor", IRINGMULYO, "719305"),
    ("dimas", "Dimas Nugroho", "officer", HADIMULYO_TIMUR, "462908"),
    ("laila", "Laila Safitri", "officer", HADIMULYO_TIMUR, "835126"),
    ("hartono", "Hartono", "supervisor", HADIMULYO_TIMUR, "506743"),
)


def points() -> tuple[Point, ...]:
    """The kelurahan offices (ids 1 to 22), a health centre and a school."""
    offices = [(name, district) for district, names in DISTRICTS.items() for name in names]
    return (
        *(
            Point(id=number, name=f"Kelurahan {name}", district=district, kind="kelurahan")
            for number, (name, district) in enumerate(offices, start=1)
        ),
        Point(id=HEALTH_CENTRE, name="Puskesmas Contoh", district="Metro Timur", kind="puskesmas"),
        Point(id=SCHOOL, name="Sekolah Dasar Contoh", district="Metro Timur", kind="school"),
    )


def region_of(point_id: int) -> str:
    """Six digits of a region that does not exist, one for each kecamatan: ``997201`` to ``997205``."""
    named = points()[point_id - 1]
    return f"9972{list(DISTRICTS).index(named.district) + 1:02d}"


def officers(today: date) -> tuple[Officer, ...]:
    """Two officers and a supervisor at each point that has a kiosk, with PINs anybody may know."""
    return tuple(
        Officer.model_validate(
            {
                "username": username,
                "name": name,
                "role": role,
                "point_id": point_id,
                "pin": pin,
                "valid_until": today + timedelta(days=365),
            }
        )
        for username, name, role, point_id, pin in _OFFICERS
    )
