"""``schedules-pipeline completion``: the script that completes commands and options in a shell."""

import click
from click.shell_completion import get_completion_class

from schedules_pipeline.cli.answer import Answer, answering, is_for_programs
from schedules_pipeline.cli.session import Session

_VARIABLE = "_SCHEDULES_PIPELINE_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@answering
def command(session: Session, shell: str) -> Answer | None:
    """Print the script that completes commands and options in a shell.

    For bash: put `eval "$(schedules-pipeline completion bash)"` into ~/.bashrc.
    """
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"no completion for {shell}")
    root = click.get_current_context().find_root()
    script = completion(root.command, {}, "schedules-pipeline", _VARIABLE).source()
    if is_for_programs():
        return Answer({"shell": shell, "script": script})
    click.echo(script)
    return None
