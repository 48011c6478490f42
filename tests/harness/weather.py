"""Replies in the shape of OpenWeatherMap's current weather, for the five cities and any other name."""

import json

CITIES = ["New York", "Portland", "Chicago", "Seattle", "Dallas"]
OBSERVED_AT = 1349114400  # 2012-10-01T18:00:00Z

_TEMPERATURE = {"New York": 14.9, "Portland": 14.0, "Chicago": 16.5, "Seattle": 12.25, "Dallas": 25.0}
_HUMIDITY = {"New York": 58, "Portland": 71, "Chicago": 62, "Seattle": 80, "Dallas": 45}


def weather(city, **changes):
    """The reply for a city; a change names a dotted path with '__' for '.', e.g. main__temp=3."""
    reply = {
        "coord": {"lon": -74.0, "lat": 40.7},
        "weather": [{"id": 801, "main": "Clouds", "description": "few clouds", "icon": "02d"}],
        "base": "stations",
        "main": {"temp": _TEMPERATURE.get(city, 20.0), "pressure": 1015, "humidity": _HUMIDITY.get(city, 50)},
        "visibility": 10000,
        "wind": {"speed": 5, "deg": 110},
        "clouds": {"all": 20},
        "dt": OBSERVED_AT,
        "sys": {"country": "US", "sunrise": OBSERVED_AT - 20000, "sunset": OBSERVED_AT + 20000},
        "timezone": -14400,
        "id": 5128581,
        "name": city,
        "cod": 200,
    }
    for path, value in changes.items():
        *folders, last = path.split("__")
        at = reply
        for folder in folders:
            at = at[folder]
        at[last] = value
    return reply


def weather_json(city, **changes):
    return json.dumps(weather(city, **changes)).encode()


def weather_with(city, field, text):
    """The reply's bytes with main.<field> written exactly as `text` (bytes), JSON or not."""
    mark = "@@here@@"
    return weather_json(city, **{f"main__{field}": mark}).replace(json.dumps(mark).encode(), text)
