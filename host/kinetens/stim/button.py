"""What only somebody at the device can allow: commands that need a hold of its button."""

import asyncio
from collections.abc import Awaitable, Callable

from kinetens.errors import RequestRefused, StimulationRefused
from kinetens.stim import words
from kinetens.stim.channel import StimulationChannel
from kinetens_protocol import messages, stimulation
from kinetens_protocol.stimulation import Command

ASK_EVERY_S = 0.25
BUTTON_S = 30.0


async def until_button_held(
    command: Callable[[], Awaitable[None]],
    on_button_needed: Callable[[], None] | None,
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Try a command until the device's button was held, or `is_over` says that it is no longer wanted.

    on_button_needed is called once when the device waits. Raises StimulationRefused when nobody held it in time,
    and what the command raises for another reason.
    """
    give_up_s = asyncio.get_running_loop().time() + BUTTON_S
    asked = False
    while not is_over():
        try:
            return await command()
        except RequestRefused as error:
            if error.reason != messages.BUTTON_NEEDED:
                raise
        if not asked and on_button_needed is not None:
            on_button_needed()
        asked = True
        if asyncio.get_running_loop().time() > give_up_s:
            raise StimulationRefused(
                f"nobody held the device's button for half a second within {BUTTON_S:g} s; hold it and try again"
            )
        await asyncio.sleep(ASK_EVERY_S)


async def release_member(channel: StimulationChannel, on_button_needed: Callable[[], None]) -> bool:
    """Let the device's next plan be another member's, once its button is held.

    Returns whether it belonged to somebody before. Raises StimulationRefused, RequestTimeout, LinkLost.
    """
    state = stimulation.unpack_state(await channel.request(stimulation.STATE))
    if not state.flags & stimulation.MEMBER_BOUND:
        return False
    counter = state.counter

    async def release() -> None:
        nonlocal counter
        counter += 1
        command = stimulation.pack_command(stimulation.RELEASE_MEMBER, Command(counter, 0))
        await channel.request(stimulation.RELEASE_MEMBER, command)

    try:
        await until_button_held(release, on_button_needed)
    except RequestRefused as error:
        reason = words.refusal(error.reason, error.refusal)
        raise StimulationRefused(f"the device refused: {reason}") from error
    return True
