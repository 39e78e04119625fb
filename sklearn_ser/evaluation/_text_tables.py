"""Tables as text."""


def cells_of(table, digits=3):
    """The column names and each row of a DataFrame as lists of str."""
    rows = [
        [f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in table.astype(object).itertuples(index=False, name=None)
    ]
    return [list(map(str, table.columns)), *rows]


def as_markdown(table, digits=3):
    """A DataFrame, without its index, as a Markdown table."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in cells_of(table, digits)]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    lines.insert(1, "|" + "---|" * len(cells[0]))
    return "\n".join(lines)
