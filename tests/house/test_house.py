"""The rules of the house, read from the code itself."""
import re
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SRC = REPO / "src"
# From top to bottom; a folder includes only itself and folders below it.
ORDER = ["cli", "serve", "page", "lambda", "deploy", "pipeline", "notify", "schedule", "query", "lake", "quality", "source", "table",
         "aws", "net", "config", "base"]
FILES = sorted(SRC.rglob("*.[ch]"))
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def test_there_is_code_to_read():
    assert len(FILES) > 40


def test_every_folder_is_a_room_of_the_house():
    assert {p.name for p in SRC.iterdir() if p.is_dir()} <= set(ORDER)


def test_includes_only_go_down():
    wrong = []
    for file in FILES:
        room = file.relative_to(SRC).parts[0]
        for target in INCLUDE.findall(file.read_text()):
            if room == "main.c":
                continue
            there = target.split("/")[0]
            if "/" not in target:
                wrong.append(f"{file.name}: \"{target}\" names no room")
            elif there != room and ORDER.index(there) <= ORDER.index(room):
                wrong.append(f"{file.relative_to(REPO)} includes {target}")
    assert not wrong, wrong


def test_the_include_test_would_notice_an_edge_that_goes_up():
    assert ORDER.index("lake") < ORDER.index("base") and INCLUDE.findall('#include "lake/store.h"') == ["lake/store.h"]


def test_every_header_says_what_it_models_who_owns_what_and_its_errors():
    for file in FILES:
        if file.suffix == ".h":
            head = file.read_text()[:4000]
            for word in ("Model:", "Owns:", "Errors:", "Threads:"):
                assert word in head, f"{file.relative_to(REPO)} does not say {word}"


def test_banned_calls_are_not_used():
    banned = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strncpy|strncat|atof|alloca|tmpnam|mktemp|system|popen|localtime|gmtime)\s*\(")
    for file in FILES:
        code = re.sub(r"/\*.*?\*/|\"(\\.|[^\"\\])*\"", "", file.read_text(), flags=re.S)
        found = banned.search(code)
        assert not found, f"{file.relative_to(REPO)} calls {found.group(1)}"


def test_nothing_below_the_command_line_prints_or_exits():
    says = re.compile(r"(?<![>.])\b(printf|puts|putchar|exit|_exit|abort|perror)\s*\(|\bstdout\b|\bstderr\b")
    for file in FILES:
        if file.relative_to(SRC).parts[0] in ("cli", "main.c"):
            continue
        code = re.sub(r"/\*.*?\*/|\"(\\.|[^\"\\])*\"|//[^\n]*", "", file.read_text(), flags=re.S)
        found = says.search(code)
        assert not found, f"{file.relative_to(REPO)}: {found.group(0)}"


def test_functions_and_files_stay_readable():
    long_files = [str(f.relative_to(REPO)) for f in FILES if len(f.read_text().splitlines()) > 500]
    assert not long_files, long_files
    for file in FILES:
        start = None
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if line == "{":
                start = number
            elif line == "}" and start:
                assert number - start <= 75, f"{file.relative_to(REPO)}:{start} is {number - start} lines long"
                start = None
