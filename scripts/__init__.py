"""The command line: one module a command, a person's side of the packages. Logic belongs in those."""

__all__: list[str] = []
