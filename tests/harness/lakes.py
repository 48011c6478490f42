"""Lakes made by hand, as the program would leave them: for tests of what reads them."""

import json


def field(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    if value == "" or value != value.strip(" ") or any(c in value for c in ',"\n\r'):
        return '"' + value.replace('"', '""') + '"'
    return value


def csv_text(names, rows):
    lines = [[field(name) for name in names]] + [[field(value) for value in row] for row in rows]
    return "".join(",".join(line) + "\n" for line in lines)


def entry(database, table, columns, partitions=(), format="csv", location=None, **more):
    """columns: {name: type} or {name: {type, nullable, unit, description}}."""
    described = [{"name": name, "nullable": True, **(it if isinstance(it, dict) else {"type": it})} for name, it in columns.items()]
    return {"database": database, "table": table, "pipeline": table, "format": format, "location": location or table,
            "columns": described, "partitions": [{"name": name, "type": "string"} for name in partitions], **more}


class Lake:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def table(self, database, table, columns, rows=None, partitions=(), slot="20121001T180000Z", **named):
        """rows: {partition folder: [row…]} or a list for a table without partitions; None: no file."""
        it = entry(database, table, columns, partitions, **named)
        path = self.folder / "_catalog" / database / f"{table}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(it), encoding="utf-8")
        for partition, part in ({"": rows} if isinstance(rows, list) else rows or {}).items():
            self.file(it["location"], partition, list(columns), part, slot)
        return it

    def file(self, location, partition, names, rows, slot="20121001T180000Z"):
        path = self.folder / location
        if not location.endswith(".csv"):
            path = path / partition / f"{slot}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(csv_text(names, rows), encoding="utf-8")
        return path
