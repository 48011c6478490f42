"""How Athena reads a CSV table of ours, with what is at hand: its reader of CSV told again, its SQL through DuckDB.

    rows = athena.select(aws, "weather", "weather")        # [{column: value}], as the view gives them
    athena.split_line('a,"b""c",')                          # ["a", 'b"c', ""]
"""

import base64
import json
import re

import duckdb
import sqlglot


def split_line(line, separator=",", quote='"', escape="\\"):
    """A line as OpenCSVSerde takes it apart, which both Hive and Trino keep to, odd as it is: an escape that escapes
    nothing is dropped, a quote in the middle of a field may be data, an open quote at the end loses the field."""
    values, field, at = [], [], 0
    quoted = inside = False
    while at < len(line):
        here, following = line[at], line[at + 1:at + 2]
        if here == escape:
            if (quoted or inside) and following in (quote, escape) and following:
                field.append(following)
                at += 1
        elif here == quote:
            if (quoted or inside) and following == quote:
                field.append(quote)
                at += 1
            else:
                if at > 2 and line[at - 1] != separator and following and following != separator:
                    if field and not "".join(field).strip():
                        field = []
                    else:
                        field.append(quote)
                quoted = not quoted
            inside = not inside
        elif here == separator and not quoted:
            values.append("".join(field))
            field, inside = [], False
        else:
            field.append(here)
            inside = True
        at += 1
    return values if quoted else values + ["".join(field)]


def definition(view):
    """What is within a view's ViewOriginalText."""
    inside = re.fullmatch(r"/\* Presto View: ([A-Za-z0-9+/=]+) \*/", view["ViewOriginalText"])
    return json.loads(base64.b64decode(inside.group(1), validate=True))


def read_text_table(aws, table):
    """[{column: text or None}]: every line of every file below the table's place, partitions from the folders."""
    storage = table["StorageDescriptor"]
    bucket, prefix = re.fullmatch(r"s3://([^/]+)/(.*)", storage["Location"]).groups()
    names = [column["Name"] for column in storage["Columns"]]
    partitions = [column["Name"] for column in table["PartitionKeys"]]
    serde = storage["SerdeInfo"]["Parameters"]
    skip = int(table["Parameters"]["skip.header.line.count"])
    rows = []
    for key, content in aws.objects(bucket).items():
        if not key.startswith(prefix):
            continue
        folders = dict(part.split("=", 1) for part in key[len(prefix):].split("/")[:-1])
        for line in re.split(r"\r\n|\r|\n", content.decode().rstrip("\n"))[skip:]:
            values = split_line(line, serde["separatorChar"][0], serde["quoteChar"][0], serde["escapeChar"][0])
            row = dict(zip(names, [*values, *[None] * len(names)]))
            rows.append({**row, **{name: folders[name] for name in partitions}})
    return rows


def select(aws, database, name):
    """The rows of a view over a text table, typed as it says."""
    glue = aws.client("glue")
    view = definition(glue.get_table(DatabaseName=database, Name=name)["Table"])
    source = sqlglot.parse_one(view["originalSql"], read="trino")
    under = source.find(sqlglot.exp.Table)
    text = glue.get_table(DatabaseName=under.db, Name=under.name)["Table"]
    columns = [column["Name"] for column in text["StorageDescriptor"]["Columns"] + text["PartitionKeys"]]
    with duckdb.connect() as db:
        db.execute(f'create schema "{under.db}"')
        db.execute(f'create table "{under.db}"."{under.name}" ({", ".join(f"{chr(34)}{c}{chr(34)} varchar" for c in columns)})')
        marks = ", ".join("?" * len(columns))
        for row in read_text_table(aws, text):
            db.execute(f'insert into "{under.db}"."{under.name}" values ({marks})', [row[c] for c in columns])
        result = db.execute(source.sql(dialect="duckdb"))
        named = [it[0] for it in result.description]
        assert named == [column["name"] for column in view["columns"]]
        return [dict(zip(named, row)) for row in result.fetchall()]
