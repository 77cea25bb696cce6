"""What commands print: drawn and in colour on a terminal, plain and in columns anywhere else.

Answers go to stdout, everything about them (what is being waited for, how it ended) to stderr, so that a pipe gets
answers alone. rich is imported only where it draws.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.text import Text


class Styled(NamedTuple):
    """A text in a colour, which means nothing that the text does not say too."""

    text: str
    style: str


Cell: TypeAlias = str | Styled

GOOD, BAD, DOUBTFUL, FAINT = "green", "red", "yellow", "bright_black"


class Column(NamedTuple):
    name: str
    right: bool = False
    """Whether it is a number."""


class Terminal:
    """Where one command prints to."""

    def __init__(self, color: str = "never") -> None:
        """`color` is auto, always or never."""
        self.draws = _draws(color, sys.stdout.isatty())
        self.draws_notes = _draws(color, sys.stderr.isatty())
        """Whether what is about the answer is drawn, and may move."""
        self.is_read_live = sys.stdout.isatty()
        """Whether answers are seen as they come, and do not go to a file or a pipe."""
        self.is_interactive = sys.stdin.isatty() and sys.stderr.isatty()
        self._consoles: dict[bool, Console] = {}

    def console(self, *, notes: bool = False) -> "Console":
        """rich's own, for what is drawn; of stderr for notes."""
        if notes not in self._consoles:
            from rich.console import Console

            self._consoles[notes] = Console(stderr=notes, force_terminal=True, highlight=False, legacy_windows=False)
        return self._consoles[notes]

    def size(self) -> tuple[int, int]:
        """Columns and lines; 80 by 24 where there is no terminal."""
        found = shutil.get_terminal_size((80, 24))
        return found.columns, found.lines

    def say(self, text: str = "", style: str = "") -> None:
        """A line of the answer."""
        self._line(text, style, notes=False)

    def note(self, text: str, style: str = "") -> None:
        """A line about the answer."""
        self._line(text, style, notes=True)

    def warn(self, text: str) -> None:
        """Something that somebody should know."""
        self._line(f"warning: {text}", DOUBTFUL, notes=True)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, notes: bool = False) -> None:
        """Rows under a heading, if there are any; nothing is cut short."""
        rows = list(rows)
        if not rows:
            return
        if self.draws_notes if notes else self.draws:
            self._drawn(columns, rows, notes)
            return
        texts = [[column.name for column in columns], *([_text(cell) for cell in row] for row in rows)]
        for line in aligned(texts, [column.right for column in columns]):
            click.echo(line, err=notes)

    @contextmanager
    def waiting(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show that something is being waited for, where somebody can see it; what is given shows another text."""
        if not self.draws_notes:
            yield lambda _: None
            return
        with self.console(notes=True).status(text, spinner="dots", spinner_style=FAINT) as status:
            yield lambda other: status.update(other)

    @contextmanager
    def progress(self, text: str, of: str) -> Iterator[Callable[[float, float], None]]:
        """Show how far something has come whose end is known, where somebody can see it.

        What is given is told how much is done, and of how much, and draws a bar from then on; `of` is what is counted.
        """
        if not self.draws_notes:
            yield lambda _done, _total: None
            return
        with ExitStack() as shown:
            bar: Progress | None = None

            def show(done: float, total: float) -> None:
                nonlocal bar
                if bar is None:
                    bar = self._bar(of)
                    bar.add_task(text, completed=int(done), total=total)
                    shown.enter_context(bar)
                bar.update(bar.task_ids[0], completed=done, total=total, refresh=True)

            yield show

    def confirm(self, what: str, *, otherwise: str) -> None:
        """Ask whether to go on, after what that would do; ends the command if not.

        Where nobody can be asked it ends too, and says what to give instead.
        """
        if not self.is_interactive:
            raise click.UsageError(f"{what}, and nobody can be asked: {otherwise}")
        if not click.confirm(f"{what}. Go on?", err=True):
            raise click.Abort

    def _line(self, text: str, style: str, *, notes: bool) -> None:
        if style and (self.draws_notes if notes else self.draws):
            self.console(notes=notes).print(text, style=style, markup=False, soft_wrap=True)
        else:
            click.echo(text, err=notes)

    def _bar(self, of: str) -> "Progress":
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn(f"{{task.completed:,.0f}} of {{task.total:,.10g}} {of}", markup=False),
        )
        # Answers go where they always do: rich would send them to stderr, too.
        return Progress(
            *columns,
            console=self.console(notes=True),
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def _drawn(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], notes: bool) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", border_style=FAINT)
        for column in columns:
            table.add_column(column.name, justify="right" if column.right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_rich_text(cell) for cell in row))
        self.console(notes=notes).print(table)


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Rows as lines with their columns below each other, two blanks between them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]


def _draws(color: str, is_terminal: bool) -> bool:
    if color != "auto":
        return color == "always"
    return is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Styled) else cell


def _rich_text(cell: Cell) -> "Text":
    from rich.text import Text

    return Text(cell.text, cell.style) if isinstance(cell, Styled) else Text(cell)


def count_of(number: int, thing: str) -> str:
    """`1 stream`, `2 streams`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
