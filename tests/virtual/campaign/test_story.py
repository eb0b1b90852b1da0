"""A story is drawn from its seed, and its events do not depend on each other."""

from kinetens.virtual.campaign.faults import BY_NAME, FAULTS
from kinetens.virtual.campaign.story import QUIET_S, Story, plan

ALL = [fault.casting for fault in FAULTS]


def test_one_seed_is_one_story():
    assert plan(7, ALL) == plan(7, ALL)
    assert plan(7, ALL) != plan(8, ALL)


def test_faults_come_after_the_first_milliamperes_and_circumstances_at_the_start():
    for seed in range(50):
        for event in plan(seed, ALL).events:
            if BY_NAME[event.fault].at_start:
                assert event.at_s == 0.0
            else:
                assert event.at_s >= QUIET_S


def test_events_are_in_order_and_within_the_story():
    for seed in range(50):
        story = plan(seed, ALL, 100.0)
        times_s = [event.at_s for event in story.events]
        assert times_s == sorted(times_s)
        assert all(time_s < 100.0 for time_s in times_s)


def test_two_hundred_stories_have_every_fault():
    met = {event.fault for seed in range(200) for event in plan(seed, ALL).events}
    assert met == set(BY_NAME)


def test_a_circumstance_that_is_asked_for_alone_always_holds():
    assert [event.fault for event in plan(1, [BY_NAME["clock-wraps"].casting]).events] == ["clock-wraps"]


def test_an_event_keeps_its_randomness_when_others_are_left_out():
    story = plan(3, ALL)
    last = story.events[-1]
    shorter: Story = story.told_with([last])
    assert shorter.events == (last,)
    assert shorter.events[0].random().random() == last.random().random()


def test_every_fault_says_what_it_does_and_names_a_hazard():
    for fault in FAULTS:
        assert fault.what
        assert fault.hazard in {f"H{number:02}" for number in range(1, 23)}
    assert len(BY_NAME) == len(FAULTS)
