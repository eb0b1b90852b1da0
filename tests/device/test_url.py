"""What a person types for a device."""

import pytest

from kinetens.device.url import DeviceUrl
from kinetens.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "simulated", "target", "options"),
    [
        ("", False, "", {}),
        ("kinetens-4F2A", False, "kinetens-4F2A", {}),
        ("C0:11:22:33:44:55", False, "C0:11:22:33:44:55", {}),
        ("11223344-5566-7788-99AA-BBCCDDEEFF00", False, "11223344-5566-7788-99AA-BBCCDDEEFF00", {}),
        ("sim:", True, "", {}),
        ("sim:?", True, "", {}),
        ("sim:kinetens-4F2A", True, "kinetens-4F2A", {}),
        ("sim:?seed=7&real-time", True, "", {"seed": "7", "real-time": ""}),
        ("sim:left%20knee?seed=7", True, "left knee", {"seed": "7"}),
    ],
)
def test_it_is_read(text: str, simulated: bool, target: str, options: dict[str, str]):
    url = DeviceUrl.parse(text)
    assert (url.simulated, url.target, dict(url.options)) == (simulated, target, options)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("http://example.org", "is no device: use 'sim:'"),
        ("usb:0", "is no device: use 'sim:'"),
        ("sim:?=7", "an option without a name"),
        ("sim:?seed=1&&loss=0", "an option without a name"),
        ("sim:?seed=1&seed=2", "'seed' twice"),
    ],
)
def test_what_is_none_is_refused_in_a_sentence(text: str, sentence: str):
    with pytest.raises(InvalidInput, match=sentence):
        DeviceUrl.parse(text)
