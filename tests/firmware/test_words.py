"""No intermediate of the sample path's viper code leaves the 32 bits of a device, whatever the sensor gives."""

import ast
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kinetens.virtual.filter import run_filter
from tests.firmware.any_bits import give_any_bits
from tests.firmware.checked_viper import WORD_LEAST, WORD_MOST, Site, Words
from tests.firmware.cpython_viper import FIRMWARE
from tests.firmware.extreme_motion import (
    ACCEL_UG,
    GYRO_UDPS,
    LEAST,
    MOST,
    OUTPUT_HZ,
    STANDING,
    Motion,
    SamplePath,
    Search,
    Stretch,
    extreme_calibration,
)
from tests.firmware.intended_wraps import INTENDED_WRAPS
from tests.firmware.room import searched


def assert_all_fit(search: Search) -> None:
    found = [f"{what}\n    by {motion}" for what, motion in search.culprits.items()]
    found += [
        str(excess) for excess in search.path.words.excesses.values() if str(excess) not in search.culprits
    ]
    assert not found, "\n".join(found)


def test_every_expression_is_reached_and_fits():
    search = searched(rounds=15, seed=1)
    assert_all_fit(search)
    words = search.path.words
    assert not words.unreached(), "\n".join(map(str, words.unreached()))
    never = set(INTENDED_WRAPS) - words.wrapped
    assert not never, f"said to be meant to wrap, and never did: {never}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_a_long_climb_finds_nothing_that_leaves_a_word(seed: int):
    assert_all_fit(searched(rounds=600, seed=seed, any_bits=20_000))


levels = st.tuples(
    *[st.sampled_from((LEAST, LEAST + 1, 0, 1, MOST - 1, MOST)) | st.integers(LEAST, MOST)] * 6
)
stretches = st.builds(
    Stretch,
    samples=st.integers(1, 400),
    low=levels,
    high=levels,
    half_period=st.integers(1, 200),
    shape=st.sampled_from(("square", "sine", "impulse", "noise")),
    delay=st.integers(0, 40),
    lost=st.just(0) | st.integers(0, 1_000_000),
)
motions = st.builds(
    Motion,
    stretches=st.lists(stretches, min_size=1, max_size=4).map(tuple),
    sample_mhz=st.integers(25_000, 500_000),
    gyro_udps=st.sampled_from([udps for ranges in GYRO_UDPS.values() for udps in ranges]),
    accel_ug=st.sampled_from(ACCEL_UG),
    output_hz=st.sampled_from(OUTPUT_HZ),
    calibration=st.just((0,) * 21) | st.integers(0, 1 << 15).map(lambda n: (0,) * 6 + extreme_calibration(n)),
    first_tick=st.integers(0, (1 << 32) - 1),
)


@pytest.fixture(scope="module")
def path() -> SamplePath:
    return SamplePath(Words(INTENDED_WRAPS))


@given(motion=motions)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_motion_makes_an_intermediate_leave_a_word(path: SamplePath, motion: Motion):
    assume(path.follows(motion))
    path.words.excesses.clear()
    path.run(motion)
    assert not path.words.excesses, "\n".join(map(str, path.words.excesses.values()))


def test_watched_code_gives_the_bytes_that_micropython_gives(path: SamplePath):
    motion = replace(STANDING[3], calibration=(0,) * 21, output_hz=100)
    counts = np.vstack([stretch.counts() for stretch in motion.stretches])
    ours = path.outputs(counts, motion)
    rate_hz = motion.sample_mhz / 1000
    device = run_filter(counts, rate_hz, motion.output_hz, motion.gyro_udps, motion.accel_ug)
    assert len(ours) > 100
    assert np.array_equal(ours[:, :4], np.rint(device.quaternion * (1 << 30)))
    assert np.array_equal(ours[:, 4], device.flags)


class Uncut(Words):
    """Goes on with what a word cannot hold, so that what was planted changes no result."""

    def note(self, number: int, value: int) -> int:
        cut = super().note(number, value)
        return value if self.sites[number] in self.excesses else cut


def test_a_sensor_whose_counts_are_too_fine_for_32_bits_is_refused(path: SamplePath):
    filter = path.modules["motion.orientation"].Orientation
    filter(25_477, 3_815, 61)
    filter(416_687, 1_907, 61)
    with pytest.raises(ValueError, match="counts are too fine"):
        filter(25_477, 953, 61)


def test_an_overflow_planted_in_any_function_is_noticed(tmp_path: Path):
    planted: dict[Site, int] = {}
    motions = STANDING[::3]
    for room, site, _, _ in searched(rounds=0, seed=1, motions=motions).path.words.tightest():
        if site.function not in {it.function for it in planted} and in_source(site):
            planted[site] = int(room) + 3
    assert {"advance", "level", "step"} <= {site.function for site in planted}
    folder = tmp_path / "firmware"
    shutil.copytree(FIRMWARE, folder)
    plant(planted, folder)
    search = Search(SamplePath(Uncut(INTENDED_WRAPS, folder)))
    give_any_bits(search.path, 1000, seed=1)
    expected = {(site.function, shifted(site, bits)) for site, bits in planted.items()}
    noticed: set[tuple[str, str]] = set()
    for motion in motions:
        if expected <= noticed:
            break
        search.run(motion)
        noticed = {(it.function, it.expression) for it in search.path.words.excesses}
    assert expected <= noticed, expected - noticed


def in_source(site: Site) -> bool:
    """Whether its text is a part of the source as it is; that of `a += b` is not."""
    tree = ast.parse((FIRMWARE / f"{site.module.replace('.', '/')}.py").read_text())
    return any(is_site(node, [site]) for node in ast.walk(tree))


def is_site(node: ast.AST, sites: Iterable[Site]) -> Site | None:
    if isinstance(node, ast.BinOp):
        for site in sites:
            if node.lineno == site.line and ast.unparse(node) == site.expression:
                return site
    return None


def shifted(site: Site, bits: int) -> str:
    return ast.unparse(ast.parse(f"({site.expression}) << {bits}"))


def plant(planted: dict[Site, int], folder: Path) -> None:
    """Make the word at each site so much too long for a moment: the same result where words are longer."""
    modules: dict[str, list[Site]] = defaultdict(list)
    for site in planted:
        modules[site.module].append(site)
    for module, sites in modules.items():
        path = folder / f"{module.replace('.', '/')}.py"
        planter = Planter({site: planted[site] for site in sites})
        path.write_text(ast.unparse(planter.visit(ast.parse(path.read_text()))))


class Planter(ast.NodeTransformer):
    """Shifts the word at each site left and back again."""

    def __init__(self, bits: dict[Site, int]) -> None:
        self.bits = bits

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        site = is_site(node, self.bits)
        self.generic_visit(node)
        if not site:
            return node
        text = f"({shifted(site, self.bits[site])}) >> {self.bits[site]}"
        return ast.copy_location(ast.parse(text, mode="eval").body, node)


def test_what_a_word_cannot_hold_is_told_with_its_values_and_cut_as_on_a_device(tmp_path: Path):
    (tmp_path / "small.py").write_text(
        """
import micropython

@micropython.viper
def double(words: ptr32, by: int) -> int:
    words[1] = by
    return words[0] * 2
"""
    )
    words = Words(folder=tmp_path)
    small = words.load("small")[0]
    cells = [1 << 30, 0]
    assert small.double(np.array(cells, dtype="<u4"), 5) == -(1 << 31)
    (excess,) = words.excesses.values()
    assert str(excess) == "small.py:7 double: words[0] * 2 is 2147483648, no word; "
    with pytest.raises(OverflowError, match="double is given 2147483648, no word"):
        small.double(np.array(cells, dtype="<u4"), 1 << 31)


def test_a_sign_extension_gives_the_word_itself_and_is_listed(tmp_path: Path):
    (tmp_path / "small.py").write_text(
        """
import micropython

@micropython.viper
def signed(words, at: int) -> int:
    one = 1
    sign = one << 31
    cells = ptr32(words)
    return (cells[at] ^ sign) - sign
"""
    )
    words = Words(folder=tmp_path)
    small = words.load("small")[0]
    cells = np.array([0, 5, -5, WORD_LEAST, WORD_MOST], dtype="<i4")
    assert [small.signed(cells, at) for at in range(5)] == cells.tolist()
    assert not words.excesses
    assert words.sign_extensions == ["small:7 one << 31", "small:9 (cells[at] ^ sign) - sign"]


@pytest.mark.parametrize("statement", ["x = uint(x)", "x = x / 2", "x = x + 0x80000000", "x = x * 0.5"])
def test_code_that_cannot_be_watched_is_refused(tmp_path: Path, statement: str):
    source = f"import micropython\n\n@micropython.viper\ndef other(x: int):\n    {statement}\n"
    (tmp_path / "odd.py").write_text(source)
    with pytest.raises(SyntaxError, match="odd:5 other cannot be watched"):
        Words(folder=tmp_path).load("odd")
