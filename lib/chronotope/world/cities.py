"""The cities of the demo world: what the tables call regions."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

KM_PER_DEGREE = 111.195  # of latitude, on the mean sphere


@dataclass(frozen=True)
class City:
    """A named region: IANA time zone, centre in degrees, share of the users, and where its travellers go.

    Travellers stay within one hour of their own clock: nobody is in two places at once on a day of travel.
    """

    name: str
    name_zh: str
    zone: str
    lat: float
    lon: float
    weight: float
    partner: str


CITIES = (
    City("Berlin", "柏林", "Europe/Berlin", 52.5200, 13.4050, 3, "Paris"),
    City("London", "伦敦", "Europe/London", 51.5074, -0.1278, 3, "Paris"),
    City("Paris", "巴黎", "Europe/Paris", 48.8566, 2.3522, 2, "London"),
    City("New York", "纽约", "America/New_York", 40.7128, -74.0060, 4, "Toronto"),
    City("Toronto", "多伦多", "America/Toronto", 43.6532, -79.3832, 1, "New York"),
    City("Shanghai", "上海", "Asia/Shanghai", 31.2304, 121.4737, 4, "Tokyo"),
    City("Tokyo", "东京", "Asia/Tokyo", 35.6762, 139.6503, 2, "Shanghai"),
)
NAMES = [city.name for city in CITIES]
PARTNERS = [NAMES.index(city.partner) for city in CITIES]
SHANGHAI = NAMES.index("Shanghai")
ONLINE = len(CITIES)  # the index that stands for "in no city"


def around(centre: Column, other: Column, turn: Column, radius_km: Column) -> tuple[Column, Column]:
    """Latitude and longitude at a distance from a centre (`centre` latitude, `other` longitude, in degrees).

    `turn` is the direction as a share of a full turn, clockwise from north. Flat-earth arithmetic: good to metres
    within the ten kilometres of a city.
    """
    angle = turn * 2 * F.pi()
    lat = centre + radius_km * F.cos(angle) / KM_PER_DEGREE
    lon = other + radius_km * F.sin(angle) / (KM_PER_DEGREE * F.cos(F.radians(centre)))
    return F.round(lat, 6), F.round(lon, 6)
