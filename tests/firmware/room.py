"""How much room the sample path's expressions leave in 32 bits: `python -m tests.firmware.room --rounds 1000`."""

import json
from typing import Any

import rich_click as click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.firmware.any_bits import give_any_bits
from tests.firmware.checked_viper import Words
from tests.firmware.extreme_motion import STANDING, Motion, SamplePath, Search
from tests.firmware.intended_wraps import INTENDED_WRAPS


def searched(
    rounds: int,
    seed: int,
    motions: tuple[Motion, ...] = STANDING,
    any_bits: int = 1000,
    show: bool = False,
) -> Search:
    """Give the sample path arbitrary bits, motions, and what a climb makes of those."""
    search = Search(SamplePath(Words(INTENDED_WRAPS)))
    give_any_bits(search.path, any_bits, seed)
    for motion in motions:
        search.run(motion)
    steps = track(range(rounds), "climbing", console=Console(stderr=True), disable=not show)
    search.climb(steps, seed)
    return search


@click.command()
@click.option("--rounds", default=1000, show_default=True, help="Motions to try after the standing ones.")
@click.option("--seed", default=1, show_default=True)
@click.option("--top", default=10, show_default=True, help="How many expressions to show.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def main(rounds: int, seed: int, top: int, as_json: bool) -> None:
    """Show the expressions with the least room, and fail if one leaves 32 bits."""
    search = searched(rounds, seed, show=True)
    words = search.path.words
    tightest = words.tightest()
    rows: list[dict[str, Any]] = [
        {
            "where": f"{site.module.replace('.', '/')}.py:{site.line}",
            "function": site.function,
            "expression": site.expression,
            "least": least,
            "most": most,
            "room_bits": round(room, 3),
        }
        for room, site, least, most in tightest[:top]
    ]
    excesses = [{"what": str(it), "by": str(search.culprits.get(str(it)))} for it in words.excesses.values()]
    if as_json:
        answer = {"expressions": len(tightest), "tightest": rows, "excesses": excesses}
        click.echo(json.dumps(answer, indent=2))
    else:
        table = Table(
            "where", "expression", "least", "most", "room, bits", title=f"{len(tightest)} expressions"
        )
        for row in rows:
            table.add_row(
                row["where"], row["expression"], *(f"{row[key]:,}" for key in ("least", "most", "room_bits"))
            )
        Console().print(table)
        for excess in excesses:
            click.echo(f"error: {excess['what']}\n  by {excess['by']}", err=True)
    if excesses:
        raise SystemExit(1)


if __name__ == "__main__":
    main(prog_name="python -m tests.firmware.room")
