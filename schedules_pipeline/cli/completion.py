"""``schedules-pipeline completion``: the script by which a shell completes commands and options."""

import click
from click.shell_completion import get_completion_class

from schedules_pipeline.cli.printing import json_option, print_json

_VARIABLE = "_SCHEDULES_PIPELINE_COMPLETE"


@click.command("completion", short_help="Print the script that completes commands in a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
@click.pass_context
def command(context: click.Context, shell: str, as_json: bool) -> None:
    """Print the script that completes commands and options in a shell.

    For bash: put `eval "$(schedules-pipeline completion bash)"` into ~/.bashrc.
    """
    root = context.find_root()
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"no completion for {shell}")
    script = completion(root.command, {}, "schedules-pipeline", _VARIABLE).source()
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        click.echo(script)
