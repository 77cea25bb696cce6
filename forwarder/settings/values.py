"""The layers laid over each other: which raw value counts for a setting, and what it says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import BadSetting
from .raw import Layer, Rank, Raw
from .setting import Kind, Setting
from .uri import without_user

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Values:
    """Every raw setting, the strongest layer first."""

    layers: tuple[Layer, ...]

    def raw(self, setting: Setting[T]) -> Raw | None:
        """What counts for this setting, or its default; None where there is neither."""
        for layer in self.layers:
            if found := layer.get(setting.name):
                return found
        return Raw((setting.default,), "the default", Rank.DEFAULT) if setting.default is not None else None

    def is_set_above(self, setting: Setting[Any], rank: Rank) -> bool:
        """Whether a place that counts before this one sets it."""
        return self.rank(setting) > rank

    def rank(self, setting: Setting[T]) -> Rank:
        found = self.raw(setting)
        return found.rank if found else Rank.DEFAULT

    def every(self, setting: Setting[T]) -> tuple[T, ...]:
        """All the values of a setting that may have several."""
        raw = self.raw(setting)
        if raw is None:
            return ()
        texts = [part for text in raw.texts for part in text.split()] or raw.texts
        return tuple(parsed(setting, text, raw.source) for text in texts)

    def get(self, setting: Setting[T]) -> T | None:
        """The value of a setting that has one at most; None where it is not set."""
        raw = self.raw(setting)
        return parsed(setting, raw.texts[-1], raw.source) if raw else None

    def value(self, setting: Setting[T]) -> T:
        """The value of a setting that always has one."""
        found = self.get(setting)
        assert found is not None, f"{setting.name} has no default"
        return found

    def password(self, setting: Setting[str], file: Setting[Path]) -> str:
        """A password, or the content of its file, whichever was set in the stronger place; empty for none."""
        raw_file = self.raw(file)
        if raw_file is None or self.rank(setting) >= raw_file.rank:
            return self.get(setting) or ""
        return _content(file, self.value(file), raw_file.source)


def parsed(setting: Setting[T], text: str, source: str) -> T:
    """The value of a text. Raises BadSetting with the setting, the text unless secret, its source, and the rule."""
    try:
        return setting.parse(text)
    except ValueError as error:
        raise bad(setting, text, source, str(error)) from None


def bad(setting: Setting[T], text: str, source: str, complaint: str) -> BadSetting:
    hidden = setting.secret or setting.kind is Kind.PAIRS
    shown = "the value" if hidden else '"' + without_user(text).encode("unicode_escape").decode() + '"'
    return BadSetting(f"{setting.name}: {shown} from {source} {complaint}; allowed: {setting.allowed}")


def _content(setting: Setting[Path], file: Path, source: str) -> str:
    try:
        content = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise bad(setting, str(file), source, "cannot be read") from None
    if not content:
        raise bad(setting, str(file), source, "is empty")
    return content
