"""TOML files that people write: read, and every mistake told with its key, its line and what to do."""

import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

Location = tuple[str | int, ...]


class TomlInvalid(Exception):
    """The file cannot be read or is not TOML; the message says why, without the file's name."""


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """A file's text and its content. Raises TomlInvalid."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return text, tomllib.loads(text)
    except OSError as error:
        raise TomlInvalid(f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise TomlInvalid("is not text in UTF-8; save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise TomlInvalid(f"is not TOML: {str(error)[:1].lower()}{str(error)[1:]}") from error


def refuse_relation(key: str, why: str) -> None:
    """Fail the validation of a relation between keys; `key` is where to look, below the model that asks."""
    raise PydanticCustomError("relation", "{why}", {"key": key, "why": why})


def problems(
    error: ValidationError, text: str, what: str, tags: Collection[str] = frozenset[str]()
) -> list[str]:
    """All of pydantic's errors as sentences with key and line.

    Args:
        error: what pydantic found.
        text: the file's text.
        what: what the file is, such as "an exercise".
        tags: names of the members of tagged unions, which pydantic puts among the keys.
    """
    found = error.errors(include_url=False)
    # A list whose only item is wrong counts as too short as well; the item's own mistake says it all.
    wrong_inside = {details["loc"][0] for details in found if len(details["loc"]) > 1}
    told = [one for one in found if one["type"] != "too_short" or one["loc"][0] not in wrong_inside]
    return [_problem(details, text, what, tags) for details in told]


def line_of(text: str, location: Location) -> str:
    """` (line 12)` of a key in a TOML text, as near as a look at the lines tells; "" where it is not found."""
    lines = text.splitlines()
    start = end = 0
    parts = list(location)
    while len(parts) > 1 and isinstance(parts[0], str):
        headers = [
            n for n, line in enumerate(lines) if re.match(rf"\s*\[+\s*{re.escape(parts[0])}\s*\]", line)
        ]
        index = parts[1] if isinstance(parts[1], int) else 0
        if index >= len(headers):
            break
        start = headers[index] + 1
        end = start
        parts = parts[2:] if isinstance(parts[1], int) else parts[1:]
    for number in range(start, len(lines)):
        if start and lines[number].lstrip().startswith("["):
            break
        if parts and re.match(rf"\s*{re.escape(str(parts[0]))}\s*=", lines[number]):
            return f" (line {number + 1})"
    if parts and not start:
        header = rf"\s*\[+\s*{re.escape(str(parts[0]))}\s*\]"
        end = next((n + 1 for n, line in enumerate(lines) if re.match(header, line)), 0)
    return f" (line {end})" if end else ""


def _problem(details: Any, text: str, what: str, tags: Collection[str]) -> str:
    context: dict[str, Any] = details.get("ctx", {})
    location: Location = tuple(part for part in details["loc"] if part not in tags)
    if details["type"] == "relation":
        below = (int(part) if part.isdigit() else part for part in str(context["key"]).split("."))
        location = (*location, *below)
    if details["type"] in ("union_tag_invalid", "union_tag_not_found"):
        location = (*location, str(context["discriminator"]).strip("'"))
    key = _key(location)
    match details["type"]:
        case "missing" | "union_tag_not_found":
            return f"{key} is missing{line_of(text, location[:-1])}; add it"
        case "extra_forbidden":
            return f"{key}{line_of(text, location)} is not a key of {what}; remove it, or mend its spelling"
        case "literal_error":
            said = f"is '{details['input']}'; it can be {context['expected']}".replace(" or ", ", ")
        case "union_tag_invalid":
            said = f"is '{context['tag']}'; it can be {context['expected_tags']}"
        case "model_type" | "model_attributes_type":
            said = f"should be a table; write [{key}] on a line of its own and its keys below"
        case "relation":
            said = context["why"]
        case _:
            said = details["msg"].replace("Input should", "should", 1)
    return f"{key}{line_of(text, location)}: {said}"


def _key(location: Location) -> str:
    return ".".join(str(part + 1 if isinstance(part, int) else part) for part in location)
