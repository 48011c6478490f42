"""What the documents show is so: commands run, samples are what the program prints."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.making import make
from harness.runner import OK, ROOT, program_path

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("*/README.md"))]


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like the repository to who reads: examples and the program."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "build" / "release").mkdir(parents=True)
    (tmp_path / "build" / "release" / "lambda-pipeline").symlink_to(program_path())
    return tmp_path


def shell(program, folder, script):
    env = program.environment({"PATH": f"{program_path().parent}:/usr/bin:/bin", "OPENWEATHER_API_KEY": None})
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=60)


TUTORIAL = ROOT / "docs" / "tutorial.md"  # its commands need an AWS, and are one story: test_tutorial.py


@pytest.mark.parametrize("document", [it for it in DOCUMENTS if it != TUTORIAL], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_shown_runs(program, checkout, document):
    for script in blocks(document, "sh"):
        done = shell(program, checkout, script)
        assert done.returncode == OK, script + done.stdout + done.stderr


def test_there_are_commands_to_run():
    assert sum(len(blocks(document, "sh")) for document in DOCUMENTS) >= 3


def test_every_block_says_what_it_is():
    for document in DOCUMENTS:
        opened = re.findall(r"^```(\w*)$", document.read_text(encoding="utf-8"), re.M)
        assert all(opened[::2]), f"{document}: a block without a language"
        assert set(opened[::2]) <= {"sh", "console", "text", "yaml", "json", "csv", "sql"}, document


def test_make_run_prints_what_the_readme_shows(program, checkout):
    shown = blocks(ROOT / "README.md", "text")[0]
    recipe = subprocess.run(["make", "-n", "run"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    commands = [line for line in recipe.splitlines() if line.startswith(("build/release/lambda-pipeline", "echo"))]
    assert len(commands) == 4, recipe
    done = shell(program, checkout, "exec 2>&1\n" + "\n".join(commands))
    assert done.returncode == OK, done.stdout

    def without_times(text):
        return re.sub(r"in \d+ ms", "in N ms", text)
    assert without_times(done.stdout) == without_times(shown)


def test_the_pipeline_in_the_readme_has_no_faults(program, run):
    path = program.folder / "readme.yaml"
    path.write_text(blocks(ROOT / "README.md", "yaml")[0])
    assert run("check", path).status == OK


def test_the_faults_in_the_readme_are_the_programs_words(program, run):
    shown = blocks(ROOT / "README.md", "text")[1].splitlines()
    path = program.folder / "weather.yaml"
    path.write_text(
        "pipeline: weather\nsource:\n  get: https://api.openweathermap.org/data/2.5/weather\n"
        "  query:\n    q: \"{city}\"\n  auth:\n    bearer: \"env:KEY\"\n  each: { city: [A] }\n  limits: { rate: 60/min }\n"
        "columns:\n  city:\n    value: \"{city}\"\n    type: string\n  temperature:\n"
        "    { from: main.temp, type: double, unit: celcius -> fahrenheit }\nsink: { to: ./lake }\n")
    said = run("check", path, cwd=program.folder).stderr.splitlines()
    words = [line.split(": ", 1)[1] for line in said if ".yaml:" in line]
    assert words == [line.split(": ", 1)[1] for line in shown]


def test_the_exit_statuses_in_the_readme_are_those_of_the_help(run):
    table = dict(re.findall(r"^\| (\d) \| (.*?) \|$", (ROOT / "README.md").read_text(), re.M))
    told = dict(re.findall(r"^  (\d)  (.*)$", run("help", "run").stdout, re.M))
    assert set(table) == set(told) == set("012345")


def test_links_lead_somewhere():
    for document in [*DOCUMENTS, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert "://" in target or (document.parent / target).exists(), f"{document}: {target}"


def test_every_path_that_the_documents_name_is_there():
    named = re.compile(r"`((?:src|tests|scripts|docs|examples|bench|tools|cmake)/[\w./-]+)`")
    for document in [*DOCUMENTS, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"]:
        for path in named.findall(document.read_text(encoding="utf-8")):
            assert "NAME" in path or (ROOT / path).exists(), f"{document}: {path}"


def test_make_help_names_every_target():
    text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "test", "bench", "install", "format", "help", "release", "dev"):
        assert re.search(rf"^make {target} ", text, re.M), target


def test_make_install_puts_everything_where_it_belongs(program, tmp_path):
    stage = tmp_path / "stage"
    make("install", "PREFIX=/opt/lp", f"DESTDIR={stage}")
    files = {str(path.relative_to(stage / "opt" / "lp")) for path in stage.rglob("*") if path.is_file()}
    assert {"bin/lambda-pipeline", "share/man/man1/lambda-pipeline.1", "share/bash-completion/completions/lambda-pipeline",
            "share/zsh/site-functions/_lambda-pipeline", "share/fish/vendor_completions.d/lambda-pipeline.fish"} <= files
    assert any(name.endswith("weather.yaml") for name in files)
    installed = stage / "opt" / "lp" / "bin" / "lambda-pipeline"
    said = subprocess.run([installed, "--version"], capture_output=True, text=True, check=True).stdout
    assert said == program.call("--version").stdout
    assert Path("/opt/lp").exists() is False


def test_the_changelog_knows_the_version(run):
    version = run("--version").stdout.split()[1]
    assert version in (ROOT / "CHANGELOG.md").read_text()
